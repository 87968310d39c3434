"""Runs of the demo against the database under test, and one that is held up half-way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest

from app.command_store import CommandStore
from app.db import connect_building
from app.demo.batch import Size
from app.demo.run import Added, run
from app.settings import Settings
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.comparison import Difference
from tests.support.blog import Blog
from tests.support.projection_spec import differences as differences_of

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
def blog(sql: Connection, commands: CommandStore) -> Blog:
    return Blog(store=commands, sql=sql)


@pytest.fixture
def building(sql: Connection, config: Settings) -> Building:  # noqa: ARG001 - emptied first
    """Opens connections as rebuilds and verifications use them."""
    return partial(connect_building, config)


@pytest.fixture
def differences(building: Building) -> Verify:
    """Compares every read table with its definition."""
    return partial(differences_of, building)
