"""The limit of `PUT /posts/{id}/like/`: the statement of the command, its own transaction, through asyncpg alone."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg

from app.commands.likes import LIKE
from app.ids import new_id
from loadtests.bench.figures import Rate, quantiles_ms
from loadtests.bench.remote import answer, remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Who likes what: number n is of liker n and post n, each list in turn."""

    likers: Sequence[UUID]
    posts: Sequence[UUID]
    first: int


async def bare_likes(url: str, pairs: Pairs, *, clients: int, connections: int, seconds: float) -> Rate:
    """Give likes as fast as so many clients over so many connections can."""
    task = asdict(pairs) | {"url": url, "clients": clients, "connections": connections, "seconds": seconds}
    return Rate(**await remote("loadtests.bench.bare_likes", task))


async def _give(task: dict[str, Any], _stop: asyncio.Event) -> dict[str, Any]:
    likers, posts = [UUID(each) for each in task["likers"]], [UUID(each) for each in task["posts"]]
    places, times = task["connections"], list[float]()
    numbers, issued_at = count(task["first"]), datetime.now(UTC)
    async with asyncpg.create_pool(task["url"], min_size=places, max_size=places) as pool:
        began = time.perf_counter()

        async def give() -> None:
            while (sent := time.perf_counter()) < began + task["seconds"]:
                number = next(numbers)
                await pool.fetchrow(LIKE, likers[number % len(likers)], issued_at, posts[number % len(posts)], new_id())
                times.append(time.perf_counter() - sent)

        await asyncio.gather(*(give() for _ in range(task["clients"])))
        took = time.perf_counter() - began
    p50, p99 = quantiles_ms(times)
    return asdict(Rate(requests=len(times), seconds=took, p50_ms=p50, p99_ms=p99))


if __name__ == "__main__":
    answer(_give)
