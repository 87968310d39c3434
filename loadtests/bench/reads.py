"""Reads over HTTP against a bare ASGI app that sends the same bytes: anybody's screens, and a signed-in reader's."""

from collections.abc import Awaitable, Callable
from typing import Final

from loadtests.bench.bare import serving
from loadtests.bench.bench import Bench, Line
from loadtests.bench.client import ask
from loadtests.bench.figures import Aim, Load, Rate

LIMIT: Final = "bare ASGI, same bytes"

_MOST_LIKED: Final = "SELECT post_id FROM read_post_rank ORDER BY like_count DESC, post_id DESC LIMIT 1"
_POSTS: Final = "SELECT id FROM posts ORDER BY md5(id::text) LIMIT 100000"


async def bare(bench: Bench, load: Load) -> Rate:
    """Measure the limit of a load: its first answer, sent by a bare app."""
    answer = await ask(load)
    async with serving(answer) as server:
        return await bench.measured(load, server=server)


async def against_bare(bench: Bench, load: Load) -> dict[str, float]:
    """Measure a load and its limit."""
    limit = await bare(bench, load)
    rate = await bench.measured(load)
    return rate.figures() | limit.figures("limit_") | ratios(rate, limit)


def ratios(rate: Rate, limit: Rate) -> dict[str, float]:
    """Return how many times as many requests, and as many per second of the serving process, as the limit has."""
    spent = max(rate.cpu_us["api"], 1.0)
    return {"ratio": rate.per_second / limit.per_second, "cpu_ratio": limit.cpu_us["limit"] / spent}


def _one(path: str) -> Callable[[Bench], Awaitable[dict[str, float]]]:
    async def measure(bench: Bench) -> dict[str, float]:
        return await against_bare(bench, bench.load(path))

    return measure


def signed_in(bench: Bench, path: str) -> Load:
    """Return a load of 64 readers, each in turn."""
    return bench.load(path, tokens=[reader.token for reader in bench.people.readers])


def _signed_in(path: str) -> Callable[[Bench], Awaitable[dict[str, float]]]:
    async def measure(bench: Bench) -> dict[str, float]:
        return await against_bare(bench, signed_in(bench, path))

    return measure


async def _hot_post(bench: Bench) -> dict[str, float]:
    post = await bench.connection.fetchval(_MOST_LIKED)
    return await against_bare(bench, bench.load(f"/posts/{post}/"))


async def _many_posts(bench: Bench) -> dict[str, float]:
    posts = await bench.connection.fetch(_POSTS)
    return await against_bare(bench, bench.load(*(f"/posts/{row['id']}/" for row in posts)))


HOT: Final = (Aim(figure="ratio", at_least=0.55),)
SIGNED_IN: Final = (Aim(figure="ratio", at_least=0.12),)

READS: Final = (
    Line(name="first_page", title="GET /posts/ first page", limit=LIMIT, aims=HOT, measure=_one("/posts/"), flat=True),
    Line(name="top", title="GET /posts/top/", limit=LIMIT, aims=HOT, measure=_one("/posts/top/"), flat=True),
    Line(name="hot_post", title="GET /posts/{id}/ hot", limit=LIMIT, aims=HOT, measure=_hot_post, flat=True),
    Line(
        name="many_posts",
        title="GET /posts/{id}/ over 100,000 posts, or all",
        limit=LIMIT,
        aims=(Aim(figure="ratio", at_least=0.15),),
        measure=_many_posts,
        flat=True,
    ),
    Line(
        name="feed",
        title="GET /feed/ of 1,000 authors, 64 readers",
        limit=LIMIT,
        aims=SIGNED_IN,
        measure=_signed_in("/feed/"),
        flat=True,
    ),
    Line(
        name="notifications",
        title="GET /notifications/, 64 readers",
        limit=LIMIT,
        aims=SIGNED_IN,
        measure=_signed_in("/notifications/"),
        flat=True,
    ),
)
