"""A read table that refuses certain rows, so that the fold fails at whatever event writes one of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from projections.engine.checkpoint import Connection
from projections.engine.poison import PATIENCE

#: Held by a test, it holds up the fold that writes its so-manieth row.
GATE = 4712

_OBSTACLE = """
CREATE TABLE {table}_refused (key uuid PRIMARY KEY);
CREATE SEQUENCE {table}_attempts;
CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('{table}_attempts') > {held_up_at} THEN
        PERFORM pg_advisory_xact_lock_shared({gate});
    END IF;
    IF EXISTS (SELECT FROM {table}_refused WHERE key = NEW.{key}) THEN
        RAISE 'no room for it' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_{table}();
"""

_REMOVE = """
DROP FUNCTION refuse_{table} CASCADE;
DROP SEQUENCE {table}_attempts;
DROP TABLE {table}_refused;
"""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Refuses rows of a table by their key."""

    sql: Connection
    table: str

    async def refuse(self, *keys: UUID) -> None:
        """Refuse rows with these keys, too."""
        await self.sql.executemany(f"INSERT INTO {self.table}_refused VALUES ($1)", [(key,) for key in keys])

    async def relent(self, *keys: UUID) -> None:
        """Take rows with these keys again."""
        await self.sql.execute(f"DELETE FROM {self.table}_refused WHERE key = ANY ($1)", keys)


@asynccontextmanager
async def obstacle(
    sql: Connection,
    table: str = "read_post_rank",
    *,
    key: str = "post_id",
    when: str = "INSERT OR UPDATE",
    sqlstate: str = "P0001",
    held_up_at: int = 2**31,
) -> AsyncIterator[Obstacle]:
    """Put the obstacle in place, and take it away at the end."""
    await sql.execute(
        _OBSTACLE.format(table=table, key=key, when=when, sqlstate=sqlstate, held_up_at=held_up_at, gate=GATE)
    )
    try:
        yield Obstacle(sql, table)
    finally:
        await sql.execute(_REMOVE.format(table=table))


async def fold_for_good(sql: Connection, fold: Callable[[], Awaitable[int]]) -> None:
    """Fold, again and again without a rest, until what fails has failed for good."""
    for _ in range(PATIENCE + 1):
        await sql.execute("UPDATE checkpoint SET retry_at = NULL")
        await fold()


async def parked(sql: Connection, projection: str = "ranking") -> list[tuple[str, UUID]]:
    """Return type and subject of a projection's parked events, in their order."""
    rows = await sql.fetch(
        "SELECT type, subject_id FROM parked_event WHERE projection = $1 ORDER BY tx, position", projection
    )
    return [(row["type"], row["subject_id"]) for row in rows]
