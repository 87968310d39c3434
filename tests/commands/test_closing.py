"""Connections that PostgreSQL has ended, unnoticed: they are replaced, and closing them is nothing to report."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

from app.db import expire_connections, open_commands, open_query_pool
from app.settings import Settings


def end(connection: Any) -> None:
    """End the session behind a connection while the event loop stands still, and can't see it."""
    server = psutil.Process(connection.get_server_pid())
    server.terminate()
    psutil.wait_procs([server], timeout=60)


async def query_connection(config: Settings) -> None:
    pool = await open_query_pool(config.model_copy(update={"query_pool_size": 1}))
    async with pool.acquire() as connection:
        await connection.execute("SELECT 1")
    end(connection_of(pool))
    await pool.expire_connections()
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await pool.close()


async def command_connection(config: Settings) -> None:
    models = await open_commands(config.model_copy(update={"command_pool_size": 1}))
    async with models.db().acquire_connection() as connection:
        await connection.execute("SELECT 1")
    end(connection_of(models.db()._pool))
    await expire_connections(models)
    async with models.db().acquire_connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await models.close_connections()


def connection_of(pool: Any) -> Any:
    return pool._holders[0]._con


@pytest.mark.parametrize("use", [query_connection, command_connection])
@pytest.mark.usefixtures("migrated")
async def test_a_connection_that_postgresql_has_ended_is_replaced_without_a_word(
    config: Settings, caplog: pytest.LogCaptureFixture, use: Callable[[Settings], Awaitable[None]]
) -> None:
    await use(config)
    gc.collect()  # what a task failed with is reported when nobody can ask it any more
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
