"""What the tests of commands share: the blog to act on, stores to act through, and looks at what came of it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.command_store import CommandStore
from app.db import open_commands
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.blog import Blog, happened
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

#: The sessions of commands, as a FROM clause.
COMMANDS = "FROM pg_stat_activity WHERE application_name = 'inkfold-commands' AND datname = current_database()"

MakeStore = Callable[..., Awaitable[CommandStore]]


@pytest.fixture
def store(sql: Connection, commands: CommandStore) -> CommandStore:  # noqa: ARG001 - emptied first
    return commands


@pytest.fixture
def blog(sql: Connection, store: CommandStore) -> Blog:
    return Blog(store, sql)


@pytest.fixture
async def make_store(projector: Projector, config: Settings) -> AsyncIterator[MakeStore]:
    """Makes stores with other limits: `await make_store(pool_size=1, pool_timeout_seconds=0.05)`."""
    opened = []

    async def make_store(
        *, pool_size: int = 2, pool_timeout_seconds: float = 5, statement_timeout_seconds: float = 15
    ) -> CommandStore:
        changes = {"command_pool_size": pool_size, "statement_timeout_seconds": statement_timeout_seconds}
        opened.append(await open_commands(config.model_copy(update=changes)))
        return CommandStore(
            opened[-1],
            cache=projector.cache,
            doorbell=projector.store._doorbell,
            pool_size=pool_size,
            pool_timeout_seconds=pool_timeout_seconds,
        )

    yield make_store
    for models in opened:
        await models.close_connections()


@pytest.fixture
async def proxy(config: Settings) -> AsyncIterator[TcpProxy]:
    async with tcp_proxy(config.database_url) as proxy:
        yield proxy


@pytest.fixture
async def far(proxy: TcpProxy, config: Settings, projector: Projector) -> AsyncIterator[CommandStore]:
    """A store that reaches PostgreSQL through the proxy."""
    models = await open_commands(config.model_copy(update={"database_url": proxy.url, "command_pool_size": 1}))
    yield CommandStore(
        models, cache=projector.cache, doorbell=projector.store._doorbell, pool_size=1, pool_timeout_seconds=5
    )
    await models.close_connections()


async def titles(blog: Blog) -> set[str]:
    return {row["title"] for row in await blog.sql.fetch("SELECT title FROM posts")}


async def edits(blog: Blog) -> int:
    return [event[0] for event in await happened(blog.sql)].count("PostEdited")


async def nobody_lingers(sql: Connection) -> bool:
    return not await sql.fetchval(f"SELECT count(*) {COMMANDS} AND state LIKE 'idle in transaction%'")
