"""Freshness: makes a query wait until what it reads reflects what its client may expect.

The API calls `answer`. Snapshots of the projections reach it by a Redis message after each step, and by polling while
someone waits. It never writes, and never reads anything but checkpoints.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.checkpoints import Lag, own_cluster, read_lag
from app.demand import Demand
from app.errors import InvalidInput, ProjectionLagging
from app.queries.query import Query, Settling
from app.queries.reader import Reader
from app.together import Together
from projections.engine.snapshot import Snapshot

log = logging.getLogger(__name__)

#: Redis channel on which the worker says, after each step, which projection reflects which snapshot.
STEPS: Final = "inkfold:steps"

_POLL_SECONDS = 0.02
_RECONNECT_SECONDS = 0.5
#: How long a list may wait for rows that are on their way, before it is answered as it is.
_SETTLE_SECONDS = 1.0
_SETTLE_POLL_SECONDS = 0.1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fresh(Generic[T]):
    """An answer; `stale` when it may lack what the client wrote, because the client preferred not to wait."""

    value: T | None
    stale: bool


class Freshness:
    """Knows how far each projection has come. One per process; run `listening` as a task while it is used."""

    def __init__(
        self, redis: Redis, reader: Reader, *, wait_seconds: float, on_redis_lost: Callable[[], None] = lambda: None
    ) -> None:
        self._redis = redis
        self._on_redis_lost = on_redis_lost
        self._reader = reader
        self._wait = wait_seconds
        self._reached: dict[str, Snapshot] = {}
        self._cluster: int | None = None
        self._moved = asyncio.Event()
        self._looks: Together[None, Lag] = Together(self._look, most=1, at_once=1)
        self._era = 0

    async def answer(
        self,
        query: Query[T],
        *,
        tokens: Sequence[int] = (),
        confirm: bool = False,
        accept_stale: bool = False,
    ) -> Fresh[T]:
        """Fetch `query` once its projections reflect the transactions `tokens`.

        With `confirm`, they must reflect all that is committed now. An answer None is given only when that is so too,
        whatever is accepted. Raises ProjectionLagging past the wait limit, unless `accept_stale` and there is something
        to answer; InvalidInput for a token of a transaction that has not ended.
        """
        while True:
            self._forget_after_loss()
            era = self._reader.era
            fresh = await self._answer(query, tokens, confirm=confirm, accept_stale=accept_stale)
            if self._reader.era == era or fresh.stale:
                return fresh

    async def _answer(self, query: Query[T], tokens: Sequence[int], *, confirm: bool, accept_stale: bool) -> Fresh[T]:
        stale = False
        try:
            if confirm:
                await self.confirm(query.reads)
            if tokens:
                await self._reach(Demand(projections=query.reads, tokens=tuple(tokens)))
        except ProjectionLagging:
            if not accept_stale:
                raise
            stale = True
        value = await query.fetch(self._reader)
        if value is None:
            await self.confirm(query.reads)
            value = await query.fetch(self._reader)
            stale = False
        if value is not None and isinstance(query, Settling):
            value = await self._settle(query, value)
        return Fresh(value, stale)

    async def reached(self, projection: str) -> Snapshot | None:
        """Return the newest snapshot that the projection is known to reflect; None before it is built."""
        self._forget_after_loss()
        if projection not in self._reached:
            self._take((await self._looks.load(None)).snapshots)
        return self._reached.get(projection)

    async def listening(self) -> None:
        """Take in the worker's messages, until cancelled; reconnects for as long as Redis is away."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(STEPS)
                    async for message in channel.listen():
                        said: dict[str, str] = orjson.loads(message["data"])
                        self._take({name: Snapshot.parse(text) for name, text in said.items()})
            except (RedisError, OSError) as error:
                self._on_redis_lost()
                log.warning("Not listening to Redis (%s); polling PostgreSQL where someone waits.", error)
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _forget_after_loss(self) -> None:
        """Forget how far projections had come: a crash takes back steps that had not reached the disk."""
        if self._reader.era != self._era:
            self._era = self._reader.era
            self._reached.clear()
            self._cluster = None

    async def confirm(self, projections: Sequence[str]) -> None:
        """Wait until the projections reflect everything that is committed now; without lag, one small statement.

        Raises ProjectionLagging past the wait limit, and at once for a projection that was never built.
        """
        await self._reach(await self.all_committed(projections))

    async def all_committed(self, projections: Sequence[str]) -> Demand:
        """Return what reflects everything that is committed now; raises ProjectionLagging for one never built."""
        self._forget_after_loss()
        lag = await self._looks.load(None)
        if not lag.snapshots.keys() >= set(projections):
            raise ProjectionLagging
        self._take(lag.snapshots)
        return lag.all_committed(projections)

    async def _settle(self, query: Query[T], value: T) -> T:
        deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
        while isinstance(query, Settling) and not query.settled(value):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self._next_move(min(left, _SETTLE_POLL_SECONDS))
            value = await query.fetch(self._reader) or value
        return value

    async def _reach(self, demand: Demand) -> None:
        try:
            async with asyncio.timeout(self._wait):
                while not demand.met(self._reached):
                    moved = self._moved
                    demand = await self._poll(demand)
                    if not demand.met(self._reached):
                        await self._next_move(_POLL_SECONDS, moved)
        except TimeoutError as error:
            raise ProjectionLagging from error

    async def _next_move(self, seconds: float, moved: asyncio.Event | None = None) -> None:
        # Not wait_for: before Python 3.12 it may swallow the end of the wait limit, and then nothing ends the wait.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (moved or self._moved).wait()

    async def _poll(self, demand: Demand) -> Demand:
        """Look how far projections have come; return what is still demanded of them.

        Who lacks nothing need not pass each transaction that was demanded: those without events move no checkpoint.
        Tokens are given out after their commit, so one that is not seen by now is none.
        """
        lag = await self._looks.load(None)
        if lag.now is not None and not all(map(lag.now.sees, demand.tokens)):
            raise InvalidInput("This token was not given by this service.", field="Consistency-Token")
        self._take(lag.snapshots)
        return demand.without(lag.snapshots.keys() - lag.behind)

    async def _look(self, _: Sequence[None]) -> Sequence[Lag]:
        """Read, for all who want to know at the same time, how far the projections are."""
        return [await read_lag(self._reader, cluster=await self._own_cluster())]

    async def _own_cluster(self) -> int:
        if self._cluster is None:
            self._cluster = await own_cluster(self._reader)
        return self._cluster

    def _take(self, snapshots: Mapping[str, Snapshot]) -> None:
        news = False
        for name, snapshot in snapshots.items():
            held = self._reached.get(name)
            if held is None or held.age < snapshot.age:
                self._reached[name] = snapshot
                news = True
        if news:  # else a poll that found nothing would wake those who polled, and they would poll without a pause
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()
