"""From the commit of a like to its being visible: on an idle system, and at half of the most likes it takes.

Nobody looks on meanwhile, which would take processor time from what is measured: PostgreSQL notes when each transaction
committed. A like's commit is noted before it is written to the disk, so that is counted, too.
"""

from asyncio import sleep
from dataclasses import replace
from typing import Final

from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import Aim, LineFailedError, Load, quantiles_ms
from loadtests.bench.pace import pacing
from loadtests.bench.writes import likes, most_likes

_PACED_CONNECTIONS: Final = 64
#: Single likes a second: each is visible long before the next.
_SINGLE_PER_SECOND: Final = 20.0

_NOW: Final = "SELECT clock_timestamp()"
_TIMES: Final = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(r.xmin) - pg_xact_commit_timestamp(l.xmin))::float8 AS seconds
FROM likes l
JOIN read_post_like r USING (post_id, user_id)
WHERE l.created_at >= $1
"""


async def _visible(bench: Bench, load: Load, *, per_second: float) -> dict[str, float]:
    """Give likes at a pace, and return after which time they were visible."""
    await bench.caught_up()
    began = await bench.connection.fetchval(_NOW)
    with bench.system.processes.spending() as spent:
        async with pacing(load, per_second=per_second) as given:
            await sleep(bench.seconds)
        await bench.caught_up()
    bench.sent += given.rate.requests
    bench.noise.saw(bench.line, spent.others)
    seconds = [row["seconds"] for row in await bench.connection.fetch(_TIMES, began)]
    if not seconds:
        raise LineFailedError("None of the likes was a new one.")
    p50, p99 = quantiles_ms(seconds)
    worker = spent.per_request(len(seconds))["worker"]
    figures = {"p50_ms": p50, "p99_ms": p99, "likes": float(len(seconds)), "worker_cpu_us": worker}
    return figures | given.rate.figures("likes_")


async def _idle(bench: Bench) -> dict[str, float]:
    load = replace(await likes(bench), connections=1, first=bench.sent)
    return await _visible(bench, load, per_second=_SINGLE_PER_SECOND)


async def _half(bench: Bench) -> dict[str, float]:
    half = await most_likes(bench) / 2
    load = replace(await likes(bench), connections=_PACED_CONNECTIONS, first=bench.sent)
    return await _visible(bench, load, per_second=half)


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
