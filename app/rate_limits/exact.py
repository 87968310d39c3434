"""A limit that holds exactly, at the price of asking Redis about each request: for signing in and registering."""

from math import ceil

from app.rate_limits.counts import OwnCounts, SharedCounts
from app.rate_limits.policies import Policy, Standing
from app.redis_absence import RedisAwayError


class ExactLimit:
    """Counts in Redis before a request goes on; while Redis is away, each process counts by itself."""

    def __init__(self, policy: Policy, shared: SharedCounts, own: OwnCounts) -> None:
        self._policy = policy
        self._shared = shared
        self._own = own

    async def spend(self, caller: str) -> Standing:
        """Count one request of the caller and say how they stand."""
        try:
            count = await self._shared.add(self._policy, caller)
        except RedisAwayError:
            count = await self._own.add(self._policy, caller)
        left = self._policy.quota - count.number
        return Standing(self._policy, max(0, left), max(1, ceil(count.seconds)), refused=left < 0)
