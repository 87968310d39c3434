"""What the tests of faults share: what those of projections and of commands have, and steps that can be held up."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.commands.conftest import make_store, store
from tests.projections.cli.conftest import inkfold
from tests.projections.conftest import Connect, blog, building, connect, open_runner, read_side
from tests.support.waiting import until

__all__ = ["blog", "building", "connect", "inkfold", "make_store", "open_runner", "read_side", "store"]

#: How long a query may wait for a worker that is being started, or started again.
PATIENCE_SECONDS = 60

#: No step gets through while the block runs: `async with hold_up() as held:`.
HoldUp = Callable[..., AbstractAsyncContextManager["HeldUp"]]

#: Obstacles: before the events are read; all is folded and the checkpoints can't be moved, which the server does by
#: itself once it can; and in front of a fold that was not used before.
EVENTS = "LOCK TABLE event"
CHECKPOINTS = "SELECT FROM checkpoint FOR UPDATE"
A_FOLD = "LOCK TABLE read_likes_quarter_hourly IN SHARE MODE"


@pytest.fixture(scope="session")
async def application(config: Settings, migrated: Projector) -> AsyncIterator[FastAPI]:  # noqa: ARG001 - built
    app = create_app(config.model_copy(update={"consistency_wait_seconds": PATIENCE_SECONDS}))
    async with app.router.lifespan_context(app):
        yield app


class HeldUp:
    """An obstacle in the way of every fold step."""

    def __init__(self, sql: Connection, obstacle: Connection) -> None:
        self._sql = sql
        self._obstacle = obstacle

    async def reached(self) -> int:
        """Wait until a step stands before the obstacle; return the process id of its session."""
        return await until(
            lambda: self._sql.fetchval("""
            SELECT pid FROM pg_stat_activity
            WHERE application_name = 'inkfold-folding'
              AND wait_event_type = 'Lock'
              AND wait_event IN ('transactionid', 'relation')
        """)
        )

    async def lift(self) -> None:
        """Let steps go on."""
        await self._obstacle.execute("ROLLBACK")


@pytest.fixture
def hold_up(sql: Connection, connect: Connect) -> HoldUp:
    @asynccontextmanager
    async def hold_up(obstruct: str = CHECKPOINTS) -> AsyncIterator[HeldUp]:
        obstacle = await connect()
        await obstacle.execute(f"BEGIN; {obstruct}")
        held = HeldUp(sql, obstacle)
        try:
            yield held
        finally:
            await held.lift()

    return hold_up
