"""A page deep in the list against the first ones: processor time per request, with no two requests alike."""

from typing import Final

from app.queries.cursors import Newest
from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import Aim, LineFailedError, Rate

_DEEPEST: Final = 500_000
_PLACES: Final = 2_000

_AT: Final = "SELECT created_at, id FROM posts ORDER BY created_at DESC, id DESC OFFSET $1 LIMIT $2"


async def _pages(bench: Bench, depth: int, places: int) -> Rate:
    keyset = Newest.of("newest-posts")
    rows = await bench.connection.fetch(_AT, depth, places)
    if not rows:
        raise LineFailedError(f"There are no posts {depth:,} deep.")
    cursors = [keyset.encode(row["created_at"], row["id"]) for row in rows]
    return await bench.measured(bench.load(*(f"/posts/?cursor={cursor}" for cursor in cursors)))


def answering(rate: Rate) -> float:
    """Return the microseconds of processor time that the API and PostgreSQL take for a request."""
    return rate.cpu_us["api"] + rate.cpu_us["postgresql"]


async def _deep(bench: Bench) -> dict[str, float]:
    depth = min(_DEEPEST, bench.size.blog.posts // 2)
    places = min(_PLACES, bench.size.blog.posts // 4)
    first = await _pages(bench, 0, places)
    deep = await _pages(bench, depth, places)
    figures = deep.figures() | first.figures("limit_") | {"depth": float(depth)}
    return figures | {"ratio": answering(deep) / answering(first)}


DEEP: Final = Line(
    name="deep_page",
    title="GET /posts/ 500,000 posts deep (half of all, if there are fewer), CPU",
    limit="the first pages' CPU per request, none joined",
    aims=(Aim(figure="ratio", at_most=1.15),),
    measure=_deep,
    flat=True,
)
