"""Likes and unlikes of one post, one after another: how long after its commit each is visible in the read table.

In a process of its own. It reads the tables directly, as no client of the API needs to: who asks the API, waits.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from loadtests.bench.client import Wire
from loadtests.bench.figures import LineFailedError, Load, quantiles_ms
from loadtests.bench.remote import answer, remote

_STATE: Final = """
SELECT
    EXISTS (SELECT FROM likes WHERE post_id = $1 AND user_id = $2) AS liked,
    EXISTS (SELECT FROM read_post_like WHERE post_id = $1 AND user_id = $2) AS shown
"""
_BEHIND: Final = "SELECT coalesce(bool_or(behind), false) FROM read_lag"
_LOOK_SECONDS: Final = 0.0002
_TIMEOUT_SECONDS: Final = 10
_GOOD: Final = range(200, 300)
#: Between two likes, so that they keep no step with the worker's.
_REST_SECONDS: Final = 0.02


async def watch(
    url: str, *, port: int, token: str, pair: Sequence[str], seconds: float, idle: bool
) -> dict[str, float]:
    """Return p50 and p99 in milliseconds, and how many; `idle` waits before each for the worker to have nothing to do.

    `pair` is the post and the user; nobody else may change that user's like of it.
    """
    task = {"url": url, "port": port, "token": token, "pair": list(pair), "seconds": seconds, "idle": idle}
    return await remote("loadtests.bench.watch", task)


async def _watch(task: dict[str, Any], _stop: asyncio.Event) -> dict[str, float]:
    post, user = task["pair"]
    database = await asyncpg.connect(task["url"], server_settings={"jit": "off"})
    state = await database.prepare(_STATE)
    until, times, wanted = time.perf_counter() + task["seconds"], list[float](), True
    async with Wire(task["port"]) as wire:
        while time.perf_counter() < until or len(times) % 2:  # the last one takes the like back
            while task["idle"] and await database.fetchval(_BEHIND):
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.random() * _REST_SECONDS)
            path, method = f"/posts/{post}/like/", "PUT" if wanted else "DELETE"
            load = Load(port=task["port"], paths=[path], tokens=[task["token"]], method=method)
            asked = asyncio.create_task(wire.ask(load.request(0)))
            times.append(await _until_shown(state, post, user, wanted=wanted))
            if (reply := await asked).status not in _GOOD:
                raise LineFailedError(f"{method} {path} was answered {reply.status}.")
            wanted = not wanted
    p50, p99 = quantiles_ms(times)
    return {"p50_ms": p50, "p99_ms": p99, "likes": len(times)}


async def _until_shown(state: Any, post: str, user: str, *, wanted: bool) -> float:
    """Return the seconds from the last look that did not see the commit to the first that saw it shown: at most."""
    deadline = time.perf_counter() + _TIMEOUT_SECONDS
    before = committed = time.perf_counter()
    seen = False
    while (now := time.perf_counter()) < deadline:
        row = await state.fetchrow(post, user)
        if row["liked"] == wanted and not seen:
            committed, seen = before, True
        if seen and row["shown"] == wanted:
            return time.perf_counter() - committed
        before = now
        time.sleep(_LOOK_SECONDS)  # noqa: ASYNC251 - an event loop's timers are a millisecond apart
        await asyncio.sleep(0)
    raise LineFailedError(f"A like was not visible within {_TIMEOUT_SECONDS} s.")


if __name__ == "__main__":
    answer(_watch)
