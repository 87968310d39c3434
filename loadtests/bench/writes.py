"""`PUT /posts/{id}/like/` by 64 clients against bare asyncpg, and the first page while likes come in."""

from dataclasses import replace
from math import gcd
from typing import Final
from uuid import UUID

from loadtests.bench.bare_likes import Pairs, bare_likes
from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import Aim, LineFailedError, Load
from loadtests.bench.pace import pacing
from loadtests.bench.reads import LIMIT, bare, ratios, signed_in

_CLIENTS: Final = 64
_LIKES_PER_SECOND: Final = 200
_PACED_CONNECTIONS: Final = 32
#: So many of the likes sent, as a share, must be new ones.
_NEW: Final = 0.5

_CHANGES: Final = """
SELECT
    sum(n_tup_upd)::bigint AS updated,
    sum(n_tup_hot_upd)::bigint AS hot,
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'position')), 0) AS events
FROM pg_stat_user_tables
WHERE relname LIKE 'read_%'
"""
_POSTS: Final = "SELECT id FROM posts ORDER BY md5(id::text) LIMIT 100000"


async def likeable(bench: Bench) -> list[UUID]:
    """Return posts, as many as make every pair of a liker and a post come up before one does again."""
    posts = [UUID(str(row["id"])) for row in await bench.connection.fetch(_POSTS)]
    while gcd(len(posts), len(bench.people.likers)) > 1:
        posts.pop()
    return posts


async def likes(bench: Bench, *, port: int | None = None) -> Load:
    """Return likes that nobody has given yet, as a load."""
    return Load(
        port=port or bench.system.port,
        paths=[f"/posts/{post}/like/" for post in await likeable(bench)],
        tokens=[liker.token for liker in bench.people.likers],
        method="PUT",
        connections=_CLIENTS,
        seconds=bench.seconds,
    )


async def most_likes(bench: Bench) -> float:
    """Return how many likes a second the API takes at most; measured now, if it was not before."""
    if not bench.most_likes_per_second:
        bench.most_likes_per_second = (await bench.measured(await likes(bench))).per_second
    return bench.most_likes_per_second


async def _changes(bench: Bench) -> tuple[int, int, int]:
    """Return how many rows of read tables were ever updated, how many of them in place, and how many events were."""
    row = await bench.connection.fetchrow(_CHANGES)
    assert row is not None
    return row["updated"], row["hot"], row["events"]


async def _like(bench: Bench) -> dict[str, float]:
    config, posts = bench.system.config, await likeable(bench)
    limits = {}
    for connections in (config.command_pool_size, _CLIENTS):
        pairs = Pairs(likers=[liker.id for liker in bench.people.likers], posts=posts, first=bench.sent)
        rate = await bare_likes(
            config.database_url, pairs, clients=_CLIENTS, connections=connections, seconds=bench.seconds
        )
        bench.sent += rate.requests
        limits[connections] = rate
        await bench.caught_up()
    changes, sent = await _changes(bench), bench.sent
    rate = await bench.measured(await likes(bench))
    await bench.caught_up()
    updated, hot, events = (now - before for now, before in zip(await _changes(bench), changes, strict=True))
    if events < (bench.sent - sent) * _NEW:
        raise LineFailedError("Most of the likes stood already, and cost nothing.")
    bench.most_likes_per_second = max(bench.most_likes_per_second, rate.per_second)
    limit = max(limits.values(), key=lambda each: each.per_second)
    by_pool = {f"limit_per_second_of_{number}_connections": each.per_second for number, each in limits.items()}
    figures = rate.figures() | limit.figures("limit_") | by_pool | {"hot_updates": hot / max(updated, 1)}
    return figures | {"ratio": rate.per_second / limit.per_second}


async def _beside_likes(bench: Bench, load: Load) -> dict[str, float]:
    limit = await bare(bench, load)
    async with bench.system.another("api") as port:
        paced = replace(await likes(bench, port=port), connections=_PACED_CONNECTIONS, first=bench.sent)
        async with pacing(paced, per_second=_LIKES_PER_SECOND) as given:
            rate = await bench.measured(load)
    bench.sent += given.rate.requests
    figures = rate.figures() | limit.figures("limit_") | given.rate.figures("likes_")
    return figures | ratios(rate, limit)


async def _first_page_beside_likes(bench: Bench) -> dict[str, float]:
    return await _beside_likes(bench, bench.load("/posts/"))


async def _feed_beside_likes(bench: Bench) -> dict[str, float]:
    return await _beside_likes(bench, signed_in(bench, "/feed/"))


FIRST_PAGE_BESIDE_LIKES: Final = Line(
    name="first_page_beside_likes",
    title="GET /posts/ first page beside 200 likes/s through another API process",
    limit=LIMIT,
    aims=(Aim(figure="ratio", at_least=0.3),),
    measure=_first_page_beside_likes,
    flat=True,
)

#: Each step makes the kept feeds of all readers old: what a feed costs when it must be put together.
FEED_BESIDE_LIKES: Final = Line(
    name="feed_beside_likes",
    title="GET /feed/ of 1,000 authors, 64 readers, beside 200 likes/s",
    limit=LIMIT,
    aims=(),
    measure=_feed_beside_likes,
    flat=True,
)

LIKE: Final = Line(
    name="like",
    title=f"PUT /posts/{{id}}/like/, {_CLIENTS} clients",
    limit="bare asyncpg, same statements and commits",
    aims=(Aim(figure="ratio", at_least=0.5),),
    measure=_like,
)
