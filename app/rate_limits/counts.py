"""Counts of what callers did in a window: in Redis, which all processes share, or in this process alone.

A Redis that is away or hangs costs one short wait; then it is not asked for a while.
"""

import time
from typing import Any, Final, NamedTuple

from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from redis.asyncio import Redis

from app.rate_limits.policies import Policy
from app.redis_absence import RedisAbsence

_PREFIX: Final = "inkfold:limit"
#: Long enough that a busy machine is not taken for a Redis that is away.
_TIMEOUT_SECONDS: Final = 1
_AWAY_SECONDS: Final = 5


class Count(NamedTuple):
    """How much was counted in the window, and for how many seconds it lasts yet."""

    number: int
    seconds: float


class SharedCounts:
    """One per process."""

    def __init__(self, redis: Redis) -> None:
        pool: Any = {"connection_pool": redis.connection_pool}
        self._storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=_PREFIX, **pool)
        self.absence = RedisAbsence(
            meanwhile="Each process counts sign-ins and registrations by itself; reads and writes are not limited.",
            answer_seconds=_TIMEOUT_SECONDS,
            rest_seconds=_AWAY_SECONDS,
        )

    async def add(self, policy: Policy, caller: str, amount: int = 1) -> Count:
        """Count, and return what all processes have counted; raises app.redis_absence.RedisAwayError."""
        async with self.absence.asking():
            return await _add(self._storage, policy, caller, amount)


class OwnCounts:
    """What this process counts by itself while Redis is away."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    async def add(self, policy: Policy, caller: str, amount: int = 1) -> Count:
        """Count, and return what this process has counted."""
        return await _add(self._storage, policy, caller, amount)


async def _add(storage: Storage, policy: Policy, caller: str, amount: int) -> Count:
    key = policy.item.key_for(caller)
    number = await storage.incr(key, policy.seconds, amount)
    return Count(number, max(0.0, await storage.get_expiry(key) - time.time()))
