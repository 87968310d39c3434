"""A limit that costs a request a look into a dictionary: for reads and writes.

Each process counts by itself, and tells Redis of every tenth of a quota, without anybody waiting for it; the answer
says what all have counted. So a caller can exceed a quota by a tenth for each process that they reach, and by what
comes in while Redis answers; of one process alone, by nothing. While Redis is away, nobody is refused.
"""

import asyncio
import time
from math import ceil
from typing import Final

from app.rate_limits.counts import SharedCounts
from app.rate_limits.policies import Policy, Standing, Standings
from app.redis_absence import RedisAwayError

_PARTS: Final = 10
#: Callers remembered at once; beyond that, those whose windows began first are forgotten, and begin anew.
_MOST_CALLERS: Final = 20_000

#: A user, by the number that their id is: to hash a UUID takes as long as all else here. Or an address.
Caller = int | str


class _Spent:
    """What one caller has spent in a window."""

    __slots__ = ("ends_at", "number", "telling", "untold")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.number = 0
        #: The part of `number` that Redis does not know of.
        self.untold = 0
        self.telling = False


class DeferredLimit:
    """Standings are said to a caller who has spent `shown_from` of the quota; below, there is nothing to say."""

    def __init__(self, policy: Policy, shared: SharedCounts, *, shown_from: float = 0) -> None:
        self._policy = policy
        self._shared = shared
        self._quota = policy.quota
        self._part = max(1, policy.quota // _PARTS)
        self._shown_from = policy.quota * shown_from
        self._callers: dict[Caller, _Spent] = {}
        self._telling = set[asyncio.Task[None]]()

    def spend(self, caller: Caller) -> Standings:
        """Count one request of the caller, unless it is refused, and say how they stand if there is need to."""
        now = time.monotonic()
        if self._shared.absence.lasts:
            self._callers.clear()
            return ()
        spent = self._callers.get(caller)
        if spent is None or spent.ends_at <= now:
            spent = self._begin(caller, now)
        refused = spent.number >= self._quota
        if not refused:
            spent.number += 1
            spent.untold += 1
            if spent.untold >= self._part and not spent.telling:
                self._tell_soon(caller, spent)
            if spent.number < self._shown_from:
                return ()
        seconds = max(1, ceil(spent.ends_at - now))
        return (Standing(self._policy, max(0, self._quota - spent.number), seconds, refused),)

    async def close(self) -> None:
        """Let go of what Redis is being told."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _begin(self, caller: Caller, now: float) -> _Spent:
        """Begin a window of the caller, and forget whose window is over: the oldest stand first."""
        self._callers.pop(caller, None)
        while self._callers:
            oldest = next(iter(self._callers))
            if self._callers[oldest].ends_at > now and len(self._callers) < _MOST_CALLERS:
                break
            del self._callers[oldest]
        spent = self._callers[caller] = _Spent(now + self._policy.seconds)
        return spent

    def _tell_soon(self, caller: Caller, spent: _Spent) -> None:
        spent.telling = True
        task = asyncio.create_task(self._tell(caller, spent))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, caller: Caller, spent: _Spent) -> None:
        told, spent.untold = spent.untold, 0
        try:
            count = await self._shared.add(self._policy, str(caller), told)
        except RedisAwayError:
            spent.number = spent.untold = 0
        else:
            spent.number = count.number + spent.untold
            spent.ends_at = time.monotonic() + count.seconds
        finally:
            spent.telling = False
