"""The shadow: a schema with the tables' names in it, in which projections are built while the old tables are read.

With the shadow first in the search path, the same folds that step the old tables step the new ones, and move a
checkpoint of their own. The rebuild uses it. A schema's name is used by one run only: what a run that was taken for
dead still sends finds no schema of that name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from projections.engine.catalog import columns_of
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.likeness import complete, create, dependents, fingerprints
from projections.engine.projection import Projection, ReadTable
from projections.engine.snapshot import Snapshot

#: Tables of the engine that a shadow has of its own, besides `filled`.
_OWN: Final = ("checkpoint", "parked_event")

_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^rebuilding_[0-9]+$'"

# What an earlier release has left is of no use when these tables have changed since.
_OF_THIS_RELEASE = """
SELECT count(*) = 2
FROM unnest($1::text[]) AS own
WHERE (SELECT array_agg(ROW (a.attname, a.atttypid)::text ORDER BY a.attnum)
       FROM pg_attribute a
       WHERE a.attrelid = to_regclass($2 || '.' || own) AND a.attnum > 0)
    = (SELECT array_agg(ROW (a.attname, a.atttypid)::text ORDER BY a.attnum)
       FROM pg_attribute a
       WHERE a.attrelid = own::regclass AND a.attnum > 0 AND NOT a.attisdropped)
"""

_OPEN = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.checkpoint (LIKE checkpoint INCLUDING ALL);
CREATE TABLE {schema}.parked_event (LIKE parked_event INCLUDING ALL);
CREATE TABLE {schema}.filled (projection text PRIMARY KEY, fingerprint text NOT NULL);
"""

_FILLED = """
SELECT f.projection, f.fingerprint, c.version
FROM {schema}.filled f
JOIN {schema}.checkpoint c USING (projection)
WHERE c.system_identifier = $1
  AND c.built_at > clock_timestamp() - interval '1 day'
"""

_FINISH = """
WITH filled AS (
    INSERT INTO {schema}.filled (projection, fingerprint) VALUES ($1, $6)
)

INSERT INTO {schema}.checkpoint (projection, version, snapshot, system_identifier, built_at, build_seconds)
VALUES ($1, $2, $3::text::pg_snapshot, $4, clock_timestamp(), $5)
"""


class NotSwappableError(Exception):
    """A read table can't be replaced; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """One run's schema, and the schema `home` whose tables it will replace. Statements run over `connection`."""

    connection: Connection
    schema: str
    home: str
    cluster: int

    @classmethod
    async def open(cls, connection: Connection) -> "Shadow":
        """Take over what an interrupted run has left, or begin anew, under a name that no run has had."""
        home = await connection.fetchval("SELECT current_schema()")
        async with connection.transaction():
            left = await shadow_schemas(connection)
            schema = f"rebuilding_{await connection.fetchval('SELECT pg_current_xact_id()::text')}"
            going_on = bool(left) and await connection.fetchval(_OF_THIS_RELEASE, _OWN, left[-1])
            for older in left[:-1] if going_on else left:
                await connection.execute(f"DROP SCHEMA {older} CASCADE")
            if going_on:
                await connection.execute(f"ALTER SCHEMA {left[-1]} RENAME TO {schema}")
            else:
                await connection.execute(_OPEN.format(schema=schema))
        return cls(connection, schema, home, await system_identifier(connection))

    def old(self, table: ReadTable) -> str:
        """Return the qualified name of the table that will be replaced."""
        return f"{self.home}.{table.name}"

    def place(self, table: ReadTable) -> str:
        """Return the qualified name of the table that is being built."""
        return f"{self.schema}.{table.name}"

    async def finished(self, projections: Sequence[Projection]) -> list[Projection]:
        """Return those of the projections whose tables are complete, and as they would be made now."""
        rows = await self.connection.fetch(_FILLED.format(schema=self.schema), self.cluster)
        filled = {(row["projection"], row["version"]): row["fingerprint"] for row in rows}
        now, there = await self.fingerprints(projections), await self._tables()
        return [
            each
            for each in projections
            if filled.get((each.name, each.version)) == now[each.name]
            and there.issuperset(table.name for table in each.tables)
        ]

    async def fingerprints(self, projections: Sequence[Projection]) -> dict[str, str]:
        """Return digests that change with definitions and folds, and with what the tables to be replaced are like."""
        views = {self.old(table): f"{self.home}.{table.view}" for each in projections for table in each.tables}
        digests = await fingerprints(self.connection, list(views), list(views.values()))
        return {
            projection.name: " ".join(
                [projection.fingerprint, *(digests[self.old(table)] for table in projection.tables)]
            )
            for projection in projections
        }

    async def keep_only(self, projections: Iterable[Projection]) -> None:
        """Drop every table that does not belong to these projections."""
        kept = {*_OWN, "filled"} | {table.name for each in projections for table in each.tables}
        async with self.connection.transaction():
            await self._forget("<> ALL ($1)", [projection.name for projection in projections])
            for table in await self._tables():
                if table not in kept:
                    await self.connection.execute(f"DROP TABLE {self.schema}.{table}")

    async def create(self, table: ReadTable) -> None:
        """Make the empty table, like the one it will replace but without its indexes and grants."""
        await self.connection.execute(f"DROP TABLE IF EXISTS {self.place(table)}")
        await create(self.connection, self.old(table), self.place(table))

    async def fill(self, connection: Connection, table: ReadTable) -> None:
        """Insert the rows that the definition has in the snapshot of the connection's transaction."""
        columns = await columns_of(connection, f"{self.home}.{table.view}")
        await connection.execute(
            f"INSERT INTO {self.place(table)} ({columns}) SELECT {columns} FROM {self.home}.{table.view}"
        )

    async def complete(self, connection: Connection, table: ReadTable) -> None:
        """Give the filled table the indexes, constraints, grants and statistics of the one that it will replace."""
        await complete(connection, self.old(table), self.place(table))

    async def forget(self, projection: Projection) -> None:
        """Have the projection be filled again."""
        await self._forget("= ANY ($1)", [projection.name])

    async def finish(
        self,
        connection: Connection,
        projection: Projection,
        *,
        snapshot: Snapshot,
        fingerprint: str,
        seconds: float,
    ) -> None:
        """Note that all tables of the projection are complete and reflect `snapshot`, as of this fingerprint."""
        await connection.execute(
            _FINISH.format(schema=self.schema),
            projection.name,
            projection.version,
            str(snapshot),
            self.cluster,
            seconds,
            fingerprint,
        )

    async def enter(self) -> None:
        """Let the session's folds and checkpoints be those of the shadow, which must have every table they name."""
        await self.connection.execute(
            f"SELECT set_config('search_path', '{self.schema}, ' || current_setting('search_path'), false)"
        )

    async def leave(self) -> None:
        """Let the session see the old tables again."""
        await self.connection.execute("RESET search_path")

    async def drop(self) -> None:
        """Drop the schema with all that is left in it."""
        await self.connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    async def _tables(self) -> set[str]:
        rows = await self.connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", self.schema)
        return {row[0] for row in rows}

    async def _forget(self, condition: str, names: list[str]) -> None:
        for table in ("checkpoint", "parked_event", "filled"):
            await self.connection.execute(f"DELETE FROM {self.schema}.{table} WHERE projection {condition}", names)


async def shadow_schemas(connection: Connection) -> list[str]:
    """Return the schemas of runs under way or interrupted, in their order."""
    names = [row[0] for row in await connection.fetch(_SCHEMAS)]
    return sorted(names, key=lambda name: int(name.rpartition("_")[2]))


async def require_swappable(connection: Connection, home: str, tables: Iterable[ReadTable]) -> None:
    """Raise NotSwappableError when something depends on one of the tables."""
    found = await dependents(connection, [f"{home}.{table.name}" for table in tables])
    if found:
        named = ", ".join(f"{dependent} (of {table})" for table, dependent in found)
        raise NotSwappableError(
            f"This depends on tables to be replaced, and would be lost with them: {named}. "
            "Drop it, rebuild, and make it again."
        )
