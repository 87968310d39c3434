"""Two API processes against one, on the same port: `API_WORKERS=2`."""

import os
from dataclasses import replace
from typing import Final

from app.settings import Settings
from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import NotSupportedError

_SETTING: Final = "api_workers"
_POSTS: Final = "SELECT id FROM posts ORDER BY md5(id::text) LIMIT 100000"


async def _measured(bench: Bench, workers: int) -> float:
    """Return how many different posts a second so many processes serve."""
    async with bench.system.another("up", API_WORKERS=str(workers)) as port:
        posts = await bench.connection.fetch(_POSTS)
        load = bench.load(*(f"/posts/{row['id']}/" for row in posts))
        return (await bench.measured(replace(load, port=port))).per_second


async def _two(bench: Bench) -> dict[str, float]:
    if _SETTING not in Settings.model_fields:
        raise NotSupportedError("there is no setting API_WORKERS yet")
    one, two = await _measured(bench, 1), await _measured(bench, 2)
    return {
        "per_second": two,
        "limit_per_second": one,
        "ratio": two / one,
        "cores": float(os.cpu_count() or 1),
    }


TWO_PROCESSES: Final = Line(
    name="two_processes",
    title="GET /posts/{id}/ over 100,000 posts, or all, by two API processes",
    limit="one API process",
    aims=(),
    measure=_two,
)
