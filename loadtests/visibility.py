"""How long after its commit a like is visible in the read table: `python -m loadtests.visibility`, on a running system.

Likes one after another, each begun when the worker has nothing to do; then, with `--clients`, the same while others
like half as often as they could. It reads the read table directly, as no client of the API needs to: one who asks the
API waits until it is there.
"""

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Self

import asyncpg
import httpx
import uvloop

from app.embedded.environment import join_running_up
from app.settings import settings
from loadtests.liking import Liker, liking, most_likes

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of an account made up for the system under test

_STATE: Final = """
SELECT
    EXISTS (SELECT FROM likes WHERE post_id = p.id) AS liked,
    p.like_count > 0 AS shown
FROM read_post p
WHERE p.id = $1
"""
_BEHIND: Final = "SELECT bool_or(behind) FROM read_lag"
#: Between two looks of the watcher: half of what it should tell apart, and long enough to leave the processors alone.
_LOOK_SECONDS: Final = 0.0002


@dataclass(slots=True)
class Watcher:
    """Looks at one post over a connection of its own, in a thread of its own, where it may sleep by itself."""

    url: str
    _loop: asyncio.AbstractEventLoop = field(default_factory=uvloop.new_event_loop)
    _connection: "asyncpg.Connection[asyncpg.Record] | None" = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._connection = self._run(asyncpg.connect(self.url)).result()
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._run(self._connection.close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def watch(self, post_id: str, *, liked: bool) -> "Future[tuple[float, float]]":
        """Promise the moments (time.perf_counter) at which a change was first seen committed, and first seen shown."""
        return self._run(self._watch(post_id, liked=liked))

    async def _watch(self, post_id: str, *, liked: bool) -> tuple[float, float]:
        assert self._connection is not None
        look = await self._connection.prepare(_STATE)
        committed = None
        while True:
            row = await look.fetchrow(post_id)
            now = time.perf_counter()
            assert row is not None
            if committed is None and row["liked"] == liked:
                committed = now
            if committed is not None and row["shown"] == liked:
                return committed, now
            time.sleep(_LOOK_SECONDS)  # noqa: ASYNC251 - an event loop's timers are a millisecond apart

    def _run(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def measure(client: httpx.AsyncClient, *, likes: int, quiet: bool) -> None:
    """Like and unlike one post of our own `likes` times, and print the times in milliseconds."""
    headers = await _sign_up(client)
    post_id = await _publish(client, headers)
    from_commit, from_answer = [], []
    database = await asyncpg.connect(settings().database_url)
    with Watcher(settings().database_url) as watcher:
        while await database.fetchval(_BEHIND):
            await asyncio.sleep(0.001)
        for turn in range(likes):
            while quiet and await database.fetchval(_BEHIND):
                await asyncio.sleep(0.001)
            liked = turn % 2 == 0
            seen = asyncio.wrap_future(watcher.watch(post_id, liked=liked))
            answer = await client.request("PUT" if liked else "DELETE", f"/posts/{post_id}/like/", headers=headers)
            answered = time.perf_counter()
            answer.raise_for_status()
            committed, shown = await seen
            from_commit.append((shown - committed) * 1000)
            from_answer.append((shown - answered) * 1000)
    await database.close()
    _print("commit → visible", from_commit)
    _print("answer of the API → visible", from_answer)


async def measure_busy(client: httpx.AsyncClient, *, clients: int, seconds: float, likes: int) -> None:
    """Find out how many likes per second so many clients get answered, and measure at half of that."""
    async with AsyncExitStack() as stack:
        likers = []
        for _ in range(clients):
            headers = await _sign_up(client)
            post_id, token = await _publish(client, headers), headers["Authorization"].removeprefix("Bearer ")
            likers.append(await Liker.connect(str(client.base_url), token=token, post_id=post_id))
            stack.callback(likers[-1].writer.close)
        most = await most_likes(likers, seconds=seconds)
        print(f"{clients} clients: {most:.0f} likes/s; at half of that:")  # noqa: T201 - its output
        async with liking(likers, per_second=most / 2):
            await measure(client, likes=likes, quiet=False)


async def _sign_up(client: httpx.AsyncClient) -> dict[str, str]:
    name = f"visible-{time.time_ns()}"[:32]
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    (await client.post("/auth/register/", json=account)).raise_for_status()
    answer = await client.post("/auth/login/", json={"username": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


async def _publish(client: httpx.AsyncClient, headers: dict[str, str]) -> str:
    post = await client.post("/posts/", json={"title": "To be liked", "content": "And not."}, headers=headers)
    return str(post.raise_for_status().json()["id"])


def _print(label: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    print(f"{label}: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, of {len(times)}")  # noqa: T201 - its output


async def main() -> None:
    """Measure the system that runs on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--likes", type=int, default=300)
    parser.add_argument("--clients", type=int, default=0, help="also measure while so many others like")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the most likes per second are sought")
    parser.add_argument("--host", default=f"http://127.0.0.1:{settings().port}")
    arguments = parser.parse_args()
    async with httpx.AsyncClient(base_url=arguments.host, timeout=30) as client:
        print("Idle:")  # noqa: T201 - its output
        await measure(client, likes=arguments.likes, quiet=True)
        if arguments.clients:
            await measure_busy(client, clients=arguments.clients, seconds=arguments.seconds, likes=arguments.likes)


if __name__ == "__main__":
    join_running_up()
    asyncio.run(main())
