"""What the tests of projections share: the blog to act on, and a connection that is ready for the engine."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
import pytest

from app.command_store import CommandStore
from app.db import connect_building, open_commands
from app.settings import Settings
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.runner import Runner
from projections.engine.step_events import prepare_session
from projections.projector import Projector
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.random_blog import LingeringStore

Connect = Callable[[], Awaitable[Connection]]
OpenRunner = Callable[..., Runner]

#: How many may write at once to the store that lingers.
WRITERS = 14


@pytest.fixture
def blog(sql: Connection, commands: CommandStore) -> Blog:
    return Blog(commands, sql)


@pytest.fixture
async def stepping(sql: Connection, config: Settings) -> AsyncIterator[Connection]:  # noqa: ARG001 - emptied first
    connection = await asyncpg.connect(config.database_url, server_settings={"application_name": "stepping"})
    await prepare_session(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def connect(sql: Connection, config: Settings) -> AsyncIterator[Connect]:  # noqa: ARG001 - emptied first
    """Opens further connections: `held = await connect()`."""
    opened: list[Connection] = []

    async def connect() -> Connection:
        opened.append(await asyncpg.connect(config.database_url))
        return opened[-1]

    yield connect
    for connection in opened:
        await connection.close()


@pytest.fixture
async def open_runner(projector: Projector) -> AsyncIterator[OpenRunner]:
    """Opens a runner like the projector's, with some things otherwise: `await open_runner(limit=2)`."""
    opened: list[Runner] = []

    def open_runner(**changes: Any) -> Runner:
        opened.append(replace(projector.runner, **changes))
        return opened[-1]

    yield open_runner
    for runner in opened:
        await runner.close()


@pytest.fixture
async def cluster(sql: Connection) -> int:
    """The system identifier of the database cluster."""
    return await system_identifier(sql)


@pytest.fixture
def building(sql: Connection, config: Settings) -> Building:  # noqa: ARG001 - emptied first
    """Opens connections as rebuilds and verifications use them."""
    return partial(connect_building, config)


@pytest.fixture
def read_side(sql: Connection, building: Building, projector: Projector) -> ReadSide:
    return ReadSide(sql, building, projector)


@pytest.fixture
async def lingering(projector: Projector, config: Settings) -> AsyncIterator[LingeringStore]:
    """A store with a connection for each writer."""
    models = await open_commands(config.model_copy(update={"command_pool_size": WRITERS}))
    yield LingeringStore(
        models,
        cache=projector.cache,
        doorbell=projector.store._doorbell,
        pool_size=WRITERS,
        pool_timeout_seconds=60,
    )
    await models.close_connections()


async def waiting_backend(sql: Connection, application: str) -> int:
    """Wait until a backend of that name waits for a lock; return its process id."""
    while True:
        pid: int | None = await sql.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
            application,
        )
        if pid is not None:
            return pid
