"""Runs of the demo against the database under test, and one that is held up half-way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.demo.batch import Size
from app.demo.run import Added, run
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.step import prepare_session
from projections.engine.verify import Difference, verify
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog

SMALL = Size(users=30, posts=60, likes=600)

_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'inkfold-demo' AND wait_event_type = 'Lock'
"""

Verify = Callable[[], Awaitable[list[Difference]]]


class Silent:
    """Reports to nobody."""

    def begin(self, phase: str, rows: int | None) -> None:
        pass

    def advance(self, rows: int) -> None:
        pass


async def run_demo(database: str, size: Size = SMALL, *, seed: int | None = 1) -> Added:
    return await run(database, size, seed=seed, report=Silent())


@asynccontextmanager
async def held_up(database: str) -> AsyncIterator[None]:
    """Let a run come as far as the notifications, with most normalized rows written, and no further."""
    blocker = await asyncpg.connect(database)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE notifications IN SHARE MODE")
            yield
    finally:
        await blocker.close()


async def is_held_up(sql: Connection, *, ended: Callable[[], bool]) -> None:
    """Wait until the run has come that far; fails if it has `ended`."""
    while not await sql.fetchval(_WAITING):
        assert not ended(), "the run came to its end"
        await asyncio.sleep(0.01)


@pytest.fixture
def blog(sql: Connection, projector: Projector) -> Blog:
    return Blog(store=projector.store, sql=sql)


@pytest.fixture
def differences(sql: Connection) -> Verify:
    """Compares every read table with its definition."""

    async def compare() -> list[Difference]:
        await prepare_session(sql)
        return await verify(sql, PROJECTIONS, system_identifier=await system_identifier(sql))

    return compare
