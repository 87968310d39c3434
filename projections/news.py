"""What a worker tells of its steps: it wakes the API's waiting queries, and keeps the top posts in Redis.

The projector owns one. Nothing depends on it: whoever is not told polls, and the top posts are in PostgreSQL, too.
"""

import logging
from dataclasses import dataclass

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.cache import Cache
from app.connection_loss import CONNECTION_LOST
from app.db import Pool
from app.freshness import STEPS
from app.queries.top_posts import TopPosts, cache_top_posts
from projections.engine.checkpoint import Connection
from projections.engine.step_result import StepResult

log = logging.getLogger(__name__)


@dataclass(slots=True)
class News:
    """One per worker process."""

    redis: Redis
    cache: Cache
    pool: Pool
    _top_waits: bool = False

    async def tell(self, connection: Connection, result: StepResult) -> None:
        """After a step: wake the API's waiting queries; the top posts are renewed when the last step is done."""
        snapshots = {name: str(snapshot) for name, snapshot in result.snapshots.items()}
        try:
            await self.redis.publish(STEPS, orjson.dumps(snapshots))
        except (RedisError, OSError) as error:
            log.warning("Redis did not take the news of a step (%s); whoever waits will poll.", error)
        if result.more:
            await self._refresh_top(connection)
        else:
            self._top_waits = True

    async def renew_top(self, *, anyway: bool = False) -> None:
        """Renew the top posts if a step may have changed them since; the next step need not wait for it."""
        if not (anyway or self._top_waits):
            return
        self._top_waits = False
        try:
            async with self.pool.acquire() as connection:
                await self._refresh_top(connection)
        except CONNECTION_LOST as error:
            self._top_waits = True
            log.warning("Lost PostgreSQL while renewing the top posts: %s", error)

    async def _refresh_top(self, connection: Connection) -> None:
        await cache_top_posts(self.cache, await TopPosts().fetch(connection))
