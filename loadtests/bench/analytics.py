"""Statistics of a year by day: what they cost, and how much longer a count over the normalized likes takes."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from loadtests.bench.bench import Bench, Line
from loadtests.bench.deep import answering
from loadtests.bench.figures import Aim, Load, Rate

_YEAR: Final = 365
#: Periods of a year, and a few days more or less, with different ends: enough for no two requests in a row to be alike.
_ENDS: Final = 90
_LONGER: Final = 20

_COUNT: Final = """
SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(*)
FROM likes
WHERE created_at >= $1::timestamptz
GROUP BY day
"""
_COUNTS: Final = 3


def _years(bench: Bench) -> Load:
    today, paths = datetime.now(UTC).date(), []
    for longer in range(_LONGER):
        for end in range(_ENDS):
            last = today - timedelta(days=end)
            first = last - timedelta(days=_YEAR - 1 - longer)
            paths.append(f"/analytics/likes/?from={first}&to={last}&granularity=day")
    return bench.load(*paths, connections=1)


async def _year(bench: Bench) -> dict[str, float]:
    rate = await bench.measured(_years(bench))
    return rate.figures() | {"cpu_us": answering(rate)}


async def _year_to_count(bench: Bench) -> dict[str, float]:
    rate: Rate = await bench.measured(_years(bench))
    seconds = []
    for _ in range(_COUNTS):
        began = time.perf_counter()
        await bench.connection.fetch(_COUNT, datetime.now(UTC) - timedelta(days=_YEAR))
        seconds.append(time.perf_counter() - began)
    count_ms = min(seconds) * 1000
    return rate.figures() | {"count_ms": count_ms, "ratio": count_ms / rate.p50_ms}


YEAR: Final = Line(
    name="year_by_day",
    title="GET /analytics/likes/ a year by day",
    limit="itself at another size (`--records`)",
    aims=(),
    measure=_year,
    flat=True,
)

YEAR_TO_COUNT: Final = Line(
    name="year_to_count",
    title="GET /analytics/likes/ a year by day, times as fast",
    limit="count by day over the normalized likes",
    aims=(Aim(figure="ratio", at_least=500, sizes=("large",)),),
    measure=_year_to_count,
)
