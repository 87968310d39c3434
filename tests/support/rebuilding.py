"""Rebuilds under way: held up at a place, watched, and compared with what was there before."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from projections.engine.checkpoint import Connect, Connection
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild
from projections.engine.shadow import shadow_schemas
from projections.registry import PROJECTIONS

#: As many as there are tables: each has a session of its own, and none waits behind one that is held up.
SESSIONS = sum(len(projection.tables) for projection in PROJECTIONS)

#: Something that does not come about in this time does not come about.
_SECONDS = 60

_WORKING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'inkfold-building'"
_WAITING = _WORKING + " AND wait_event_type = 'Lock'"


@dataclass
class Told:
    """A report that keeps what it is told."""

    stages: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def begin(self, what: str, total: float | None, unit: str) -> None:  # noqa: ARG002
        self.stages.append(what)

    def reach(self, done: float) -> None:
        pass

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@asynccontextmanager
async def begun(
    connect: Connect, *projections: Projection, report: Told | None = None, park: bool = True
) -> AsyncIterator["asyncio.Task[None]"]:
    """Let a rebuild run beside the block; it has ended, or is cancelled, when the block ends."""
    running = asyncio.create_task(
        rebuild(connect, projections or PROJECTIONS, sessions=SESSIONS, park=park, report=report or Told())
    )
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@dataclass(slots=True)
class Hold:
    """A lock on a table, for as long as a test needs."""

    connection: Connection

    async def release(self) -> None:
        """Let those go on who wait."""
        await self.connection.execute("ROLLBACK")


@asynccontextmanager
async def held_up(connection: Connection, *, table: str = "likes") -> AsyncIterator[Hold]:
    """Hold up whatever reads the table, until it is released or the block ends."""
    await connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield Hold(connection)
    finally:
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")


async def until(condition: Callable[[], object], *, running: "asyncio.Task[None] | None" = None) -> None:
    """Wait for the condition; fails with the rebuild's error when that ends before."""
    async with asyncio.timeout(_SECONDS):
        while not condition():
            if running is not None and running.done():
                await running
                raise AssertionError("the rebuild came to its end")
            await asyncio.sleep(0.005)


async def until_true(
    sql: Connection, query: str, *, seconds: float = _SECONDS, running: "asyncio.Task[None] | None" = None
) -> None:
    """Wait until the query says true; fails with the rebuild's error when that ends before."""
    async with asyncio.timeout(seconds):
        while not await sql.fetchval(query):
            if running is not None and running.done():
                await running
                raise AssertionError("the rebuild came to its end")
            await asyncio.sleep(0.005)


async def until_filling_waits(sql: Connection, *, running: "asyncio.Task[None] | None" = None) -> None:
    """Wait until all that is left to be filled is what is held up."""
    await until_true(sql, f"SELECT ({_WAITING}) > 0 AND ({_WORKING}) = ({_WAITING}) + 1", running=running)


async def until_filled(sql: Connection, projections: Collection[Projection]) -> None:
    """Wait until a rebuild has filled the tables of these projections and no others."""
    names = {projection.name for projection in projections}
    async with asyncio.timeout(_SECONDS):
        while not await shadow_schemas(sql) or await filled(sql) != names:
            await asyncio.sleep(0.005)


async def until_nobody_works(sql: Connection) -> None:
    """Wait until PostgreSQL has ended all sessions of rebuilds, sooner than they would have given up by themselves."""
    await until_true(sql, f"SELECT ({_WORKING}) = 0", seconds=20)


async def table_ids(sql: Connection, schema: str = "public") -> dict[str, int]:
    """Return the object ids of the read tables there; another table of the same name has another id."""
    rows = await sql.fetch(
        r"SELECT relname, oid FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'r' "
        r"AND relname LIKE 'read\_%'",
        schema,
    )
    return {row["relname"]: row["oid"] for row in rows}


async def left_behind(sql: Connection) -> str:
    """Return the schema that an interrupted rebuild has left."""
    (schema,) = await shadow_schemas(sql)
    return schema


async def filled(sql: Connection) -> set[str]:
    """Return the projections whose tables an interrupted rebuild has filled."""
    return {row[0] for row in await sql.fetch(f"SELECT projection FROM {await left_behind(sql)}.filled")}
