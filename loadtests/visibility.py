"""How long after its commit a like is visible in the read table: `python loadtests/visibility.py`, on a running system.

Likes one after another, each begun when the worker has nothing to do. It reads the read table directly, as no client
of the API needs to: one who asks the API waits until it is there.
"""

import argparse
import asyncio
import statistics
import time

import asyncpg
import httpx

from app.embedded.environment import join_running_up
from app.settings import settings

PASSWORD = "correct horse battery staple"  # noqa: S105 - of an account made up for the system under test

_LIKES = "SELECT like_count FROM read_post WHERE id = $1"
_BEHIND = "SELECT bool_or(behind) FROM read_lag"
_BEGUN = "SELECT max(at) FROM event"


async def measure(client: httpx.AsyncClient, database: "asyncpg.Connection[asyncpg.Record]", *, likes: int) -> None:
    """Like and unlike one post of our own `likes` times, and print the times in milliseconds."""
    post_id = await _own_post(client)
    from_answer, from_begin = [], []
    for turn in range(likes):
        while await database.fetchval(_BEHIND):
            await asyncio.sleep(0.001)
        wanted = (turn + 1) % 2
        answer = await (client.put if wanted else client.delete)(f"/posts/{post_id}/like/")
        answered = time.perf_counter()
        answer.raise_for_status()
        while await database.fetchval(_LIKES, post_id) != wanted:
            await asyncio.sleep(0.0005)  # a busy loop would take the worker's processor
        seen, now = time.perf_counter(), time.time()
        from_answer.append((seen - answered) * 1000)
        from_begin.append((now - (await database.fetchval(_BEGUN)).timestamp()) * 1000)
    _print("answer of the API → visible", from_answer)
    _print("begin of the transaction → visible", from_begin)


async def _own_post(client: httpx.AsyncClient) -> str:
    name = f"visible-{time.time_ns()}"
    account = {"username": name[:32], "email": f"{name}@example.org", "password": PASSWORD}
    (await client.post("/auth/register/", json=account)).raise_for_status()
    tokens = (await client.post("/auth/login/", json={"username": name[:32], "password": PASSWORD})).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    post = await client.post("/posts/", json={"title": "To be liked", "content": "And not."})
    return str(post.json()["id"])


def _print(label: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    print(f"{label}: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, of {len(times)}")  # noqa: T201 - its output


async def main() -> None:
    """Measure the system that runs on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--likes", type=int, default=300)
    parser.add_argument("--host", default=f"http://127.0.0.1:{settings().port}")
    arguments = parser.parse_args()
    database = await asyncpg.connect(settings().database_url)
    async with httpx.AsyncClient(base_url=arguments.host, timeout=30) as client:
        await measure(client, database, likes=arguments.likes)
    await database.close()


if __name__ == "__main__":
    join_running_up()
    asyncio.run(main())
