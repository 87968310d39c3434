"""The first page against the same screen served otherwise: through an ORM, a join, or our statement without the API."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import orjson

from loadtests.bench.bench import Bench, Line
from loadtests.bench.client import ask
from loadtests.bench.figures import LineFailedError, Load
from loadtests.bench.program import program
from loadtests.bench.reads import ratios

# Who serves the page from the normalized tables has this index. It stands only while that is measured.
_INDEX: Final = "CREATE INDEX IF NOT EXISTS bench_posts_newest ON posts (created_at DESC, id DESC)"
_NO_INDEX: Final = "DROP INDEX IF EXISTS bench_posts_newest"

_TITLES: Final = {
    "statement": "our own query through asyncpg, on a bare ASGI app",
    "join": "the best join on the normalized tables through asyncpg, on a bare ASGI app",
    "tortoise": "Tortoise objects of the normalized tables, on a bare ASGI app",
}


async def _shown(load: Load) -> list[str]:
    return [card["id"] for card in orjson.loads((await ask(load)).body)["items"]]


def _against(way: str) -> Callable[[Bench], Awaitable[dict[str, float]]]:
    async def measure(bench: Bench) -> dict[str, float]:
        load = bench.load("/posts/")
        await bench.connection.execute(_INDEX)
        try:
            async with program("loadtests.bench.screens", way) as server:
                if await _shown(load) != await _shown(replace(load, port=server.port)):
                    raise LineFailedError(f"The page served by {way} shows other posts.")
                limit = await bench.measured(load, server=server)
        finally:
            await bench.connection.execute(_NO_INDEX)
        rate = await bench.measured(load)
        return rate.figures() | limit.figures("limit_") | ratios(rate, limit)

    return measure


OTHERWISE: Final = tuple(
    Line(name=f"first_page_{way}", title="GET /posts/ first page", limit=title, aims=(), measure=_against(way))
    for way, title in _TITLES.items()
)
