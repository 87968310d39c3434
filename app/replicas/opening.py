"""Puts the replicas of the settings together; app.main opens them with the API and closes them with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from app.db import Pool, open_replica_pool, open_watch_pool
from app.dsn import server_of
from app.freshness import Freshness
from app.queries.reader import Reader
from app.replicas.milestones import Milestones
from app.replicas.replica import Replica
from app.replicas.routing import Replicas
from app.replicas.watch import PATIENCE_SECONDS, Watch
from app.settings import Settings

_CLOSING_SECONDS = 1.0


@asynccontextmanager
async def open_replicas(config: Settings, primary: Freshness) -> AsyncIterator[Replicas]:
    """Give the replicas that the settings name; nothing connects before they are watched."""
    most, milestones = config.replica_max_lag_seconds, Milestones()
    async with AsyncExitStack() as stack:

        async def reader(pool: Pool, seconds: float) -> Reader:
            stack.push_async_callback(_close, pool)
            return Reader(pool, timeout_seconds=seconds)

        lookout = await reader(await open_watch_pool(config, config.database_url), PATIENCE_SECONDS)
        replicas = []
        for number, url in enumerate(config.read_database_url, start=1):
            watched = await reader(await open_watch_pool(config, url), PATIENCE_SECONDS)
            name = f"Replica {number} ({server_of(url)})"
            replicas.append(
                Replica(
                    await reader(await open_replica_pool(config, url), config.pool_timeout_seconds),
                    Watch(watched, milestones, name=name, most_seconds=most),
                    milestones,
                    wait_seconds=config.replica_wait_seconds,
                    most_seconds=most,
                )
            )
        yield Replicas(primary, replicas, lookout=lookout, milestones=milestones, most_seconds=most)


async def _close(pool: Pool) -> None:
    with suppress(TimeoutError):  # a server that hangs never says farewell
        async with asyncio.timeout(_CLOSING_SECONDS):
            await pool.close()
