"""The ten posts with the most likes: sent as they lie in Redis, else read from PostgreSQL and put back there."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.dependencies import Reads, ReadSession, TopCache, Watch
from app.api.frame.problems import problems
from app.api.pagination import OnceEach
from app.api.schemas import MostLikedPosts
from app.cache import Cache
from app.errors import InvalidInput, ProjectionLagging
from app.freshness import Freshness
from app.queries.top_posts import TopPosts, cache_top_posts, cached_top_posts

router = APIRouter(prefix="/posts", tags=["posts"], dependencies=[OnceEach])

_X_CACHE = {"description": "Whether Redis had the list", "schema": {"type": "string", "enum": ["hit", "miss"]}}


@router.get(
    "/top/",
    summary="List the ten most liked posts",
    response_model=MostLikedPosts,
    responses={200: {"headers": {"X-Cache": _X_CACHE}}, **problems(InvalidInput, ProjectionLagging)},
)
async def list_top_posts(reads: Reads, cache: TopCache, freshness: Watch) -> Response:
    """Show the ten posts with the most likes, from Redis where it has them."""
    body = await _cached(reads, cache, freshness)
    if body is not None:
        return Response(body, media_type="application/json", headers={"X-Cache": "hit"})
    top = await reads.answer(TopPosts())
    await cache_top_posts(cache, top)
    return Response(top.body, media_type="application/json", headers={**reads.headers, "X-Cache": "miss"})


async def _cached(reads: ReadSession, cache: Cache, freshness: Freshness) -> bytes | None:
    try:
        if reads.confirm:
            await freshness.confirm(TopPosts.reads)
    except ProjectionLagging:
        return None  # the session knows whether something older will do
    return await cached_top_posts(cache, freshness, tokens=reads.tokens)
