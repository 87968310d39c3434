"""Outages of the servers during a storm: when each began, and from when on the server took connections again."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg
from redis.exceptions import RedisError

from app.redis_client import open_redis
from loadtests.hostile.system import Attacked
from projections.engine.report import Report

POSTGRESQL: Final = "PostgreSQL restarted (immediate)"
FROZEN: Final = "Redis stopped (SIGSTOP)"
KILLED: Final = "Redis killed and away"

_LOOK_SECONDS: Final = 0.02


@dataclass(slots=True, kw_only=True)
class Outage:
    """A server's absence, in seconds of time.monotonic."""

    what: str
    began: float
    back: float = float("inf")

    @property
    def of_postgresql(self) -> bool:
        """Whether commands can't be done meanwhile."""
        return self.what == POSTGRESQL


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What happens to the servers during a storm of so many seconds; Redis is away for `away` of them, twice."""

    system: Attacked
    seconds: float
    away: float
    report: Report
    outages: list[Outage] = field(default_factory=list)

    async def strike(self) -> None:
        """Let everything happen at its moment; the second crash of PostgreSQL while Redis is away, too."""
        course: tuple[tuple[float, str, Callable[[], Awaitable[None]]], ...] = (
            (5 / 60, POSTGRESQL, self._restart_postgres),
            (12 / 60, FROZEN, self._freeze_redis),
            (36 / 60, KILLED, self._kill_redis),
            (46 / 60, POSTGRESQL, self._restart_postgres),
        )
        await asyncio.gather(*(self._at(self.seconds * share, what, work) for share, what, work in course))

    async def _at(self, seconds: float, what: str, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        outage = Outage(what=what, began=time.monotonic())
        self.outages.append(outage)
        self.report.note(f"{seconds:.0f} s: {what}")
        await work()
        outage.back = time.monotonic()
        self.report.note(f"{seconds + outage.back - outage.began:.1f} s: {what}: it takes connections again")

    async def _restart_postgres(self) -> None:
        await self._do(lambda: self.system.postgres.restart(immediate=True))
        while True:
            try:
                connection = await asyncpg.connect(self.system.config.database_url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                await connection.close()
                return

    async def _freeze_redis(self) -> None:
        pid = self.system.redis.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self.away)
        finally:
            os.kill(pid, signal.SIGCONT)
        await self._redis_answers()

    async def _kill_redis(self) -> None:
        self.system.redis.hasten()
        await self._do(self.system.redis.stop)
        try:
            await asyncio.sleep(self.away)
        finally:
            await self._do(self.system.redis.start)
        await self._redis_answers()

    async def _redis_answers(self) -> None:
        redis = open_redis(self.system.config.redis_url)
        try:
            while True:
                # Those who asked meanwhile may still fill the queue of connections that it has yet to take.
                with contextlib.suppress(RedisError, OSError):
                    await redis.ping()
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await redis.aclose()

    async def _do(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self.system.keeper, work)
