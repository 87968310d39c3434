"""Whether everything is as it must be: the read tables as their definitions say, Redis's top posts as SQL says."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import orjson

from app.cache import Cache
from app.db import connect_building
from app.redis_client import open_redis
from app.settings import Settings
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.report import Report
from projections.engine.verify import Verified, verify
from projections.registry import PROJECTIONS

_TOP: Final = """
SELECT p.id::text AS id, count(l.id) AS likes
FROM posts p
LEFT JOIN likes l ON l.post_id = p.id
GROUP BY p.id
ORDER BY likes DESC, p.id DESC
LIMIT 10
"""

#: The worker's sweep puts a lost list back within two seconds.
_TRIES: Final = 100
_PAUSE_SECONDS: Final = 0.1


async def verified(config: Settings, report: Report) -> list[Verified]:
    """Compare every read table with its definition."""
    return await verify(partial(connect_building, config), PROJECTIONS, report=report)


def number(found: Sequence[Verified]) -> int:
    """Return how many rows differ, of those that were looked at."""
    return sum(len(each.differences) for each in found)


async def top_differs(config: Settings, connection: Connection) -> str | None:
    """Say how the top posts in Redis differ from what SQL says, if they still do after a while. Nobody writes now."""
    expected = [(row["id"], row["likes"]) for row in await connection.fetch(_TOP)]
    redis = open_redis(config.redis_url)
    cache = Cache(redis, cluster=await system_identifier(connection))
    found: list[tuple[str, int]] | None = None
    try:
        for _ in range(_TRIES):
            if (top := await cache.read_top()) is not None:
                found = [(item["id"], item["like_count"]) for item in orjson.loads(top.body)["items"]]
            if found == expected:
                return None
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await redis.aclose()
    return f"top posts in Redis {found}, in SQL {expected}"
