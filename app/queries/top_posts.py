"""The ten posts with the most likes, as ready JSON, with the snapshot that it reflects.

The worker puts it into Redis after each step; the API answers from there and, on a miss, reads it here and puts it
back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import asyncpg
import orjson

from app.cache import Cache, CachedTop
from app.freshness import Freshness
from projections.engine.snapshot import Snapshot

_TOP_POSTS = """
SELECT
    s.snapshot,
    s.changed_by,
    p.id,
    p.author_id,
    p.author_username,
    p.title,
    p.excerpt,
    k.like_count,
    p.created_at,
    p.updated_at
FROM (
    SELECT
        CASE WHEN count(DISTINCT c.snapshot::text) = 1 THEN min(c.snapshot::text) END AS snapshot,
        string_agg(c.xmin::text, ' ' ORDER BY c.projection) AS changed_by
    FROM checkpoint c
    WHERE c.projection IN ('ranking', 'posts')
) s
LEFT JOIN (
    SELECT post_id, like_count FROM read_post_rank ORDER BY like_count DESC, post_id DESC LIMIT 10
) k ON true
LEFT JOIN read_post p ON p.id = k.post_id
ORDER BY k.like_count DESC, k.post_id DESC
"""


class Fetches(Protocol):
    """A Reader, or the worker's connection."""

    async def fetch(self, sql: str, /) -> list[asyncpg.Record]:
        """Return all rows."""
        ...


@dataclass(frozen=True, slots=True)
class TopPosts:
    """The list as a query. Its answer carries no snapshot while its projections stand at different ones."""

    reads: ClassVar[tuple[str, ...]] = ("ranking", "posts")

    async def fetch(self, reader: Fetches) -> "TopList":
        """Read the list from the read tables."""
        rows = await reader.fetch(_TOP_POSTS)
        cards = [_card(row) for row in rows if row["id"] is not None]
        snapshot = rows[0]["snapshot"] if rows else None
        return TopList(
            body=orjson.dumps({"items": cards}, default=str, option=orjson.OPT_UTC_Z),
            snapshot=Snapshot.parse(snapshot) if snapshot else None,
            changed_by=rows[0]["changed_by"] if snapshot else "",
        )


@dataclass(frozen=True, slots=True)
class TopList:
    """The JSON to send, the snapshot that it reflects, if it is a single one, and what had changed its tables last."""

    body: bytes
    snapshot: Snapshot | None
    changed_by: str


async def cached_top_posts(cache: Cache, freshness: Freshness, *, tokens: Sequence[int]) -> bytes | None:
    """Return the list from Redis if it is as new as the last steps known to this process, and these saw `tokens`."""
    least: list[Snapshot] = []
    for projection in TopPosts.reads:
        reached = await freshness.reached(projection)
        if reached is None or not all(map(reached.sees, tokens)):
            return None
        least.append(reached)
    top = await cache.read_top()
    return top.body if top is not None and all(each.age <= top.snapshot.age for each in least) else None


async def cache_top_posts(cache: Cache, top: TopList) -> None:
    """Put the list into Redis unless a newer one is there."""
    if top.snapshot is not None:
        await cache.write_top(CachedTop(top.snapshot, top.changed_by, top.body))


def _card(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "excerpt": row["excerpt"],
        "author": {"id": row["author_id"], "username": row["author_username"]},
        "like_count": row["like_count"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
