"""The swap: a shadow's tables and checkpoints take the place of the old ones, in one short transaction.

The rebuild calls it, holding the projections' locks, so that no step is under way. Readers of the old tables wait for
that transaction and then read the new ones, which reflect no less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from projections.engine.locks import text_array
from projections.engine.projection import Projection, ReadTable
from projections.engine.shadow import NotSwappableError, Shadow, require_swappable

#: Readers wait no longer than this for an attempt that fails, and steps not much longer.
_READERS_WAIT_MILLISECONDS: Final = 100
#: PostgreSQL interrupts an autovacuum that someone has waited for for its deadlock_timeout, 1 s.
_AUTOVACUUM_MILLISECONDS: Final = 3_000
_HOPELESS_SECONDS: Final = 1.0

# Reading and folding go on under this lock, altering, vacuuming and dropping do not.
_UNALTERED: Final = "LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE"

# One message: from the first lock to the commit PostgreSQL needs nobody, so that readers don't wait for a slow process.
_SWAP = """
LOCK TABLE {shadows} IN ACCESS EXCLUSIVE MODE;
SET LOCAL statement_timeout = {milliseconds};
LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;
SET LOCAL statement_timeout = 0;
DROP TABLE {tables};
{moves}

WITH built AS (
    DELETE FROM {schema}.checkpoint WHERE projection = ANY ({names}) RETURNING *
)

INSERT INTO {home}.checkpoint AS c (projection, version, snapshot, system_identifier, built_at, build_seconds)
SELECT projection, version, snapshot, system_identifier, built_at, build_seconds
FROM built
ON CONFLICT (projection) DO UPDATE
SET version = excluded.version,
    snapshot = excluded.snapshot,
    system_identifier = excluded.system_identifier,
    built_at = excluded.built_at,
    build_seconds = excluded.build_seconds,
    status = CASE c.status WHEN 'paused' THEN 'paused' ELSE 'running' END,
    error = NULL,
    failures = 0,
    retry_at = NULL,
    updated_at = clock_timestamp();

DELETE FROM {home}.parked_event WHERE projection = ANY ({names});
INSERT INTO {home}.parked_event SELECT * FROM {schema}.parked_event WHERE projection = ANY ({names});
UPDATE {home}.verification SET mended = true WHERE projection = ANY ({names});
COMMIT
"""

_STATISTICS = """
SELECT format('ALTER STATISTICS %s.%I SET SCHEMA %s;', $1::text, stxname, $2::text)
FROM pg_statistic_ext
WHERE stxnamespace = $1::text::regnamespace
"""

_HINDRANCE = """
SELECT
    a.pid,
    a.application_name,
    l.relation::regclass::text AS "table",
    -- How long other accounts' sessions have run is shown to some only.
    coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8 AS seconds
FROM pg_locks l
JOIN pg_stat_activity a USING (pid)
WHERE l.relation = ANY ($1::text[]::regclass[])
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid <> pg_backend_pid()
ORDER BY a.xact_start
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Swap:
    """Puts what `shadow` has built of the projections in place, when it is tried at a good moment."""

    shadow: Shadow
    projections: Sequence[Projection]

    @property
    def tables(self) -> list[ReadTable]:
        """The tables in the order in which they are locked."""
        return sorted((table for each in self.projections for table in each.tables), key=lambda table: table.name)

    @property
    def _old(self) -> str:
        return ", ".join(map(self.shadow.old, self.tables))

    @property
    def _new(self) -> str:
        return ", ".join(map(self.shadow.place, self.tables))

    async def prepare(self) -> None:
        """Wait until nobody vacuums or alters the tables, which interrupts autovacuum; readers and steps go on.

        To be called before the projections' locks are taken. Raises what `attempt` raises.
        """
        connection = self.shadow.connection
        async with connection.transaction():
            await connection.execute(f"SET LOCAL search_path TO {self.shadow.home}")
            await self._allow(_AUTOVACUUM_MILLISECONDS)
            await self._require_unaltered()

    async def attempt(self) -> None:
        """Swap, or raise asyncpg.LockNotAvailableError: somebody uses an old table for longer than 0.1 s.

        Where somebody has done so for a second already, it is not even tried.
        Readers wait no longer than that for it. Raises NotSwappableError where something depends on an old table, or
        where one was altered while the new ones were filled.
        """
        connection = self.shadow.connection
        held = await self._held()
        if held and held["seconds"] > _HOPELESS_SECONDS:
            raise asyncpg.LockNotAvailableError(f"session {held['pid']} uses {held['table']}")
        await connection.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO {self.shadow.home}")
        try:
            await self._allow(_READERS_WAIT_MILLISECONDS)
            await self._require_unaltered()
            await connection.execute(await self._statements())
        except BaseException as error:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
            if isinstance(error, asyncpg.QueryCanceledError):
                raise asyncpg.LockNotAvailableError(str(error)) from error
            if isinstance(error, asyncpg.DependentObjectsStillExistError):
                raise NotSwappableError(f"An old table can't be replaced: {error.detail}") from error
            raise

    async def hindrance(self) -> str:
        """Say who has been using an old table for longest."""
        row = await self._held()
        if row is None:
            return "Waiting to swap: somebody uses an old table."
        return (
            f"Waiting to swap: session {row['pid']} ({row['application_name'] or 'no name'}) has been using "
            f"{row['table']} for {row['seconds']:.1f} s."
        )

    async def _held(self) -> "asyncpg.Record | None":
        return await self.shadow.connection.fetchrow(_HINDRANCE, [self.shadow.old(table) for table in self.tables])

    async def _allow(self, milliseconds: int) -> None:
        await self.shadow.connection.execute(f"SET LOCAL lock_timeout = {milliseconds:d}")

    async def _require_unaltered(self) -> None:
        """Let nobody alter the old tables before the transaction ends; raise NotSwappableError if somebody has."""
        connection = self.shadow.connection
        await connection.execute(_UNALTERED.format(tables=f"{self._new}, {self._old}"))
        await require_swappable(connection, self.shadow.home, self.tables)
        finished = await self.shadow.finished(self.projections)
        altered = [projection.name for projection in self.projections if projection not in finished]
        if altered:
            raise NotSwappableError(
                f"Tables or definitions were altered while the new tables were built: {', '.join(altered)}. "
                "Rebuild again: what still fits is kept."
            )

    async def _statements(self) -> str:
        schema, home = self.shadow.schema, self.shadow.home
        moves = [row[0] for row in await self.shadow.connection.fetch(_STATISTICS, schema, home)]
        moves += [f"ALTER TABLE {self.shadow.place(table)} SET SCHEMA {home};" for table in self.tables]
        return _SWAP.format(
            milliseconds=_READERS_WAIT_MILLISECONDS,
            tables=self._old,
            shadows=self._new,
            moves="\n".join(moves),
            names=text_array(projection.name for projection in self.projections),
            schema=schema,
            home=home,
        )
