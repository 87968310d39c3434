"""From the commit of a like to its being visible: on an idle system, and at half of the most likes it takes."""

from dataclasses import replace
from typing import Final

from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import Aim
from loadtests.bench.pace import pacing
from loadtests.bench.watch import watch
from loadtests.bench.writes import likes, most_likes

_PACED_CONNECTIONS: Final = 64

# The star likes what no liker of ours is asked to like more often than others.
_POST: Final = """
SELECT k.post_id
FROM read_post_rank k
WHERE NOT EXISTS (SELECT FROM likes l WHERE l.post_id = k.post_id AND l.user_id = $1)
ORDER BY k.like_count DESC, k.post_id DESC
OFFSET 100
LIMIT 1
"""


async def _watched(bench: Bench, *, idle: bool) -> dict[str, float]:
    star = bench.people.star
    post = await bench.connection.fetchval(_POST, star.id)
    pair = (str(post), str(star.id))
    url, port = bench.system.config.database_url, bench.system.port
    with bench.system.processes.spending() as spent:
        figures = await watch(url, port=port, token=star.token, pair=pair, seconds=bench.seconds, idle=idle)
    bench.noise.saw(bench.line, spent.others)
    return figures


async def _idle(bench: Bench) -> dict[str, float]:
    return await _watched(bench, idle=True)


async def _half(bench: Bench) -> dict[str, float]:
    half = await most_likes(bench) / 2
    await bench.caught_up()
    load = replace(await likes(bench), connections=_PACED_CONNECTIONS, first=bench.sent)
    async with pacing(load, per_second=half) as given:
        figures = await _watched(bench, idle=False)
    bench.sent += given.rate.requests
    return figures | given.rate.figures("likes_")


IDLE: Final = Line(
    name="visible_idle",
    title="commit → visible, single likes on an idle system",
    limit="-",
    aims=(Aim(figure="p50_ms", at_most=2.5), Aim(figure="p99_ms", at_most=10)),
    measure=_idle,
)

HALF: Final = Line(
    name="visible_at_half",
    title="commit → visible at half of the most likes/s",
    limit="-",
    aims=(Aim(figure="p50_ms", at_most=10), Aim(figure="p99_ms", at_most=40)),
    measure=_half,
)
