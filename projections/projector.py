"""What a worker process does: fold, announce, and tell the API and Redis of it. arq's jobs are thin calls of this."""

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import asyncpg
from arq.connections import ArqRedis
from redis.exceptions import RedisError
from tortoise.context import TortoiseContext

from app.cache import Cache
from app.command_store import CommandStore
from app.commands.notifications import SendNotifications, send_notifications
from app.connection_loss import CONNECTION_LOST
from app.db import WORKER_ROLE, Pool, connect_folding, open_commands, open_worker_pool
from app.doorbell import ANNOUNCE, FOLD, Doorbell, generation_key
from app.redis_client import open_redis
from app.settings import Settings
from projections.engine.checkpoint import system_identifier
from projections.engine.rebuild import RebuildRunningError
from projections.engine.runner import Runner
from projections.news import News
from projections.registry import PROJECTIONS
from projections.upkeep import Upkeep

log = logging.getLogger(__name__)

#: A Redis that takes longer to answer counts as gone.
REDIS_SECONDS = 1.0
_PING_SECONDS = 0.25
#: How often a worker looks whether there is something to build.
_BUILD_SECONDS = 5.0
_LONGEST_BUILD_REST_SECONDS = 300.0
_ALIVE_KEY = "inkfold:alive"


@dataclass(slots=True, kw_only=True)
class Projector:
    """One per worker process; `close` it at the end."""

    config: Settings
    pool: Pool
    models: TortoiseContext
    redis: ArqRedis
    cache: Cache
    store: CommandStore
    runner: Runner
    upkeep: Upkeep
    news: News
    ringing: asyncio.Task[None]
    folding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(cls, config: Settings) -> Self:
        """Connect."""
        pool = await open_worker_pool(config)
        redis = open_redis(config.redis_url, answer_seconds=REDIS_SECONDS)
        async with pool.acquire() as connection:
            cache = Cache(redis, cluster=await system_identifier(connection))
        doorbell = Doorbell(redis)
        models = await open_commands(config, role=WORKER_ROLE)
        news = News(redis, cache, pool)
        return cls(
            config=config,
            pool=pool,
            models=models,
            redis=redis,
            cache=cache,
            store=CommandStore(
                models,
                cache=cache,
                doorbell=doorbell,
                pool_size=config.command_pool_size,
                pool_timeout_seconds=config.pool_timeout_seconds,
            ),
            runner=Runner(
                connect=partial(_connect, config, cache),
                projections=PROJECTIONS,
                limit=config.fold_events_per_step,
                seconds=config.fold_step_seconds,
                park=config.poison_events == "park",
                on_step=news.tell,
            ),
            upkeep=Upkeep(config=config, pool=pool),
            news=news,
            ringing=asyncio.create_task(doorbell.ringing()),
        )

    async def close(self) -> None:
        """Let go of every connection."""
        await self.runner.close()
        self.ringing.cancel()
        await asyncio.gather(self.ringing, return_exceptions=True)
        await self.models.close_connections()
        await self.pool.close()
        await self.redis.aclose()

    async def fold(self) -> int:
        """Fold everything committed by now; return how many events that was.

        Rings that come while another fold runs are answered by one more, which begins when that one has ended.
        """
        async with self.folding:
            await self.redis.incr(generation_key(FOLD))  # before the snapshot, so that no later ring is lost
            folded = await self._catch_up()
        await self.news.renew_top()
        return folded

    async def fold_rung(self) -> int:
        """Do the same where the generation has been raised already; the caller renews the top posts."""
        async with self.folding:
            return await self._catch_up()

    async def announce(self) -> None:
        """Write the notifications of posts that wait for it, chunk by chunk."""
        await self.redis.incr(generation_key(ANNOUNCE))
        await self._send_notifications()

    async def build(self) -> list[str]:
        """Build what is to be built, and renew the top posts; return the names of the projections."""
        names = await self.upkeep.build()
        if names:
            await self.news.renew_top(anyway=True)
        return names

    async def building(self) -> None:
        """Build whatever is to be built, now and later, until cancelled."""
        rest = _BUILD_SECONDS
        while True:
            try:
                await self.build()
            except RebuildRunningError as error:
                log.debug("%s", error)
            except Exception as error:  # noqa: BLE001 - a worker folds on, whatever keeps it from building
                rest = min(rest * 2, _LONGEST_BUILD_REST_SECONDS)
                log.error("Building failed, next try in %.0f s: %s", rest, error)  # noqa: TRY400 - it says it all
            else:
                rest = _BUILD_SECONDS
            await asyncio.sleep(rest)

    async def work_alone(self) -> None:
        """Fold and announce once, without Redis: whoever waits for it polls."""
        self.runner.on_step = None
        try:
            await self._send_notifications()
            async with self.folding:
                await self._catch_up()
        finally:
            self.runner.on_step = self.news.tell

    async def redis_answers(self) -> bool:
        """Say whether Redis is there and takes what it is told: one that is full, or whose disk is, takes nothing."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                return bool(await self.redis.set(_ALIVE_KEY, 1, ex=60))
        except (RedisError, OSError, TimeoutError):
            return False

    async def _catch_up(self) -> int:
        try:
            return await self.runner.catch_up()
        except CONNECTION_LOST as error:
            log.warning("Lost PostgreSQL while folding (%s); going on over a new connection.", error)
            return await self.runner.catch_up()

    async def _send_notifications(self) -> None:
        while (await send_notifications(self.store, SendNotifications(chunk=self.config.notification_chunk))).value:
            pass

    async def sweep(self) -> None:
        """Do what no bell was rung for, and put the top posts back where Redis has lost them."""
        await self.fold()
        if await self.cache.read_top() is None:
            await self.news.renew_top(anyway=True)
        if await self._waiting_announcements():  # not by a job: a worker that died may hold the one of this generation
            await self.announce()

    async def _waiting_announcements(self) -> bool:
        async with self.pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM announcements)"))


async def _connect(config: Settings, cache: Cache) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await connect_folding(config)
    try:
        await cache.forget_top()
    except BaseException:
        connection.terminate()
        raise
    return connection
