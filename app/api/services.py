"""What lives as long as a process of the API: connections, pools, what is kept, and what works beside the requests.

app.main opens it before the first request; routes find it in the app's state, by way of app.api.dependencies.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.datastructures import State

from app.api.lane.lane import FastLane
from app.api.lane.sources import Sources
from app.cache import Cache
from app.checkpoints import own_cluster
from app.command_store import CommandStore
from app.db import open_commands, open_query_pool
from app.doorbell import Doorbell
from app.freshness import Freshness
from app.queries.reader import Openings, Reader
from app.rate_limits.rate_limits import RateLimits
from app.redis_client import open_redis
from app.replicas.opening import open_replicas
from app.security.access_tokens import AccessTokens
from app.security.passwords import PasswordHasher
from app.settings import Settings


@asynccontextmanager
async def open_services(state: State) -> AsyncIterator[FastLane | None]:
    """Put everything into `state`, which has the settings and the metrics; yield the lane, if there is to be one."""
    async with AsyncExitStack() as stack:
        stack.callback(state.metrics.flush)
        await _open_connections(state, stack)
        await _open_security(state, stack)
        await _open_sides(state, stack)
        yield _lane(state)


async def _open_connections(state: State, stack: AsyncExitStack) -> None:
    config: Settings = state.settings
    state.redis = open_redis(config.redis_url)
    stack.push_async_callback(state.redis.aclose)
    state.models = await open_commands(config)
    stack.push_async_callback(state.models.close_connections)
    openings = Openings()
    state.query_pool = await open_query_pool(config, init=openings.note)
    stack.push_async_callback(state.query_pool.close)
    state.reader = Reader(state.query_pool, timeout_seconds=config.pool_timeout_seconds, openings=openings)


async def _open_security(state: State, stack: AsyncExitStack) -> None:
    config: Settings = state.settings
    state.passwords = PasswordHasher(threads=config.hashing_threads, queue=config.hashing_queue)
    stack.callback(state.passwords.close)
    await state.passwords.warm()
    state.access_tokens = AccessTokens(
        config.secret_key.get_secret_value(),
        seconds=config.access_token_seconds,
        former=[key.get_secret_value() for key in config.secret_keys_before],
    )
    state.rate_limits = RateLimits(config, state.redis)
    stack.push_async_callback(state.rate_limits.close)


async def _open_sides(state: State, stack: AsyncExitStack) -> None:
    """Open what commands are run by, and what queries wait by."""
    config: Settings = state.settings
    state.cache = Cache(state.redis, cluster=await own_cluster(state.reader))
    doorbell = Doorbell(state.redis)
    state.store = CommandStore(
        state.models,
        cache=state.cache,
        doorbell=doorbell,
        pool_size=config.command_pool_size,
        pool_timeout_seconds=config.pool_timeout_seconds,
    )
    state.freshness = Freshness(
        state.redis, state.reader, wait_seconds=config.consistency_wait_seconds, on_redis_lost=state.cache.lapse
    )
    state.replicas = await stack.enter_async_context(open_replicas(config, state.freshness))
    for work in (doorbell.ringing(), state.freshness.listening(), state.replicas.watching()):
        await stack.enter_async_context(_running(work))


def _lane(state: State) -> FastLane | None:
    config: Settings = state.settings
    if config.read_database_url:
        return None
    sources = Sources(
        state.reader, cache=state.cache, access_tokens=state.access_tokens, kept_bytes=config.kept_answers_bytes
    )
    return FastLane(sources, state.store, metrics=state.metrics, rate_limits=state.rate_limits)


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the app for as long as it serves."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
