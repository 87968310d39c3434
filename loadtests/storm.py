"""A storm: many writers at once, the worker killed, Redis flushed, and then nothing may differ.

`python loadtests/storm.py` on a running system. It compares every read table with its definition, and the top posts in
Redis with SQL, and exits 1 if anything differs. tests/journeys runs a small one.
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg
import httpx
import orjson
import psutil
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import Progress

from app.embedded.environment import join_running_up
from app.settings import settings

PASSWORD = "correct horse battery staple"  # noqa: S105 - of accounts made up for the system under test

#: How many sign up at once: passwords are hashed a few at a time, and a longer queue is answered 503.
_DOORS = 16

_TOP = """
SELECT p.id::text AS id, count(l.id) AS likes
FROM posts p
LEFT JOIN likes l ON l.post_id = p.id
GROUP BY p.id
ORDER BY likes DESC, p.id DESC
LIMIT 10
"""


@dataclass(kw_only=True)
class Storm:
    """What the writers share: the posts and people they know of, and what they were answered."""

    chance: random.Random
    posts: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)


class Writer:
    """One signed-in person who does something at random."""

    def __init__(self, storm: Storm, client: httpx.AsyncClient, token: str) -> None:
        self.storm = storm
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}
        self.own: list[str] = []

    async def act(self) -> None:
        """Do one thing; what others deleted meanwhile is no failure."""
        chance, storm = self.storm.chance, self.storm
        kind = chance.choices(
            ("like", "follow", "publish", "edit", "delete", "read", "read-all"), (60, 12, 10, 5, 4, 6, 3)
        )[0]
        if kind == "publish" or not storm.posts:
            answer = await self._send("POST", "/posts/", {"title": f"Post {chance.random()}", "content": "Words."})
            if answer.is_success:
                self.own.append(answer.json()["id"])
                storm.posts.append(self.own[-1])
        elif kind == "like":
            await self._send(chance.choice(("PUT", "DELETE", "POST")), f"/posts/{chance.choice(storm.posts)}/like/")
        elif kind == "follow":
            person = chance.choice(storm.people)
            await self._send(chance.choice(("PUT", "DELETE", "POST")), f"/users/{person}/subscribe/")
        elif kind == "edit" and self.own:
            await self._send("PATCH", f"/posts/{chance.choice(self.own)}/", {"title": f"Edited {chance.random()}"})
        elif kind == "delete" and self.own:
            post_id = self.own.pop(chance.randrange(len(self.own)))
            storm.posts.remove(post_id)
            await self._send("DELETE", f"/posts/{post_id}/")
        elif kind == "read":
            page = await self._send("GET", "/notifications/?limit=5")
            for item in page.json()["items"] if page.is_success else []:
                await self._send("POST", f"/notifications/{item['id']}/read/")
        else:
            await self._send("POST", "/notifications/read-all/")

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = await self.client.request(method, path, json=body, headers=self.headers)
        self.storm.answers[f"{answer.status_code // 100}xx"] += 1
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            self.storm.answers[f"{method} {answer.status_code}"] += 1
        return answer


async def rage(
    client: httpx.AsyncClient, redis: Redis, *, seed: int, writers: int, commands: int, kills: int, flushes: int
) -> Counter[str]:
    """Let `writers` do `commands` things each, all at once; return what they were answered, by class of status."""
    storm = Storm(chance=random.Random(seed))
    doors = asyncio.Semaphore(_DOORS)
    crowd = await asyncio.gather(*(_join(storm, client, doors, f"storm-{seed}-{each}") for each in range(writers)))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("commands", total=writers * commands)

        async def write(writer: Writer) -> None:
            for _ in range(commands):
                await writer.act()
                progress.advance(bar)

        havoc = [*["kill"] * kills, *["flush"] * flushes]
        storm.chance.shuffle(havoc)
        troubles = asyncio.create_task(_trouble(havoc, redis, progress, bar))
        await asyncio.gather(*map(write, crowd))
        await troubles
    return storm.answers


async def differences(database: "asyncpg.Connection[asyncpg.Record]", redis: Redis) -> list[str]:
    """Return what is not as it must be, in words."""
    found = []
    verify = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", "projections", "verify", "--json"), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await verify.communicate()
    report = orjson.loads(output)
    found += [f"{each['projection']}: {each['reason']}" for each in report["unverified"]]
    found += [
        f"{table['table']}: {difference}"
        for each in report["projections"]
        for table in each["tables"]
        for difference in table["differences"]
    ]
    expected = [(row["id"], row["likes"]) for row in await database.fetch(_TOP)]
    cluster = await database.fetchval("SELECT system_identifier FROM pg_control_system()")
    body = None
    for _ in range(100):  # the worker's sweep puts it back within two seconds
        body = await cast("Awaitable[bytes | None]", redis.hget(f"inkfold:{cluster}:top_posts:v1", "body"))
        if body is not None and _top(body) == expected:
            return found
        await asyncio.sleep(0.1)
    return [*found, f"top posts in Redis {_top(body) if body else None}, in SQL {expected}"]


def _top(body: bytes) -> list[tuple[str, int]]:
    return [(item["id"], item["like_count"]) for item in orjson.loads(body)["items"]]


async def _join(storm: Storm, client: httpx.AsyncClient, doors: asyncio.Semaphore, name: str) -> Writer:
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    async with doors:
        registered = await client.post("/auth/register/", json=account)
        registered.raise_for_status()
        tokens = await client.post("/auth/login/", json={"username": name, "password": PASSWORD})
        tokens.raise_for_status()
    storm.people.append(registered.json()["id"])
    return Writer(storm, client, tokens.json()["access_token"])


async def _trouble(havoc: Sequence[str], redis: Redis, progress: Progress, bar: Any) -> None:
    """Spread the havoc evenly over the storm."""
    task = progress.tasks[bar]
    for number, kind in enumerate(havoc, 1):
        while task.completed < (task.total or 0) * number / (len(havoc) + 1):
            await asyncio.sleep(0.01)
        if kind == "flush":
            await redis.flushall()
        else:
            kill_worker()


def kill_worker() -> None:
    """End the running worker as if its machine had lost power."""
    here = settings().database_url
    for process in psutil.process_iter():
        try:
            if process.cmdline()[-1:] == ["worker"] and process.environ().get("DATABASE_URL") == here:
                process.kill()
        except psutil.Error:
            continue


async def main() -> int:
    """Rage on the system that runs on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("writers", 100), ("commands", 200), ("kills", 0), ("flushes", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--host", default=f"http://127.0.0.1:{settings().port}")
    arguments = parser.parse_args()
    host = vars(arguments).pop("host")
    console = Console(highlight=False)
    database = await asyncpg.connect(settings().database_url)
    redis = Redis.from_url(settings().redis_url)
    limits = httpx.Limits(max_connections=arguments.writers)
    async with httpx.AsyncClient(base_url=host, timeout=60, limits=limits) as client:
        answers = await rage(client, redis, **vars(arguments))
    console.print(f"seed {arguments.seed}: {dict(answers)}")
    found = await differences(database, redis)
    for difference in found:
        console.print(difference)
    console.print(f"{len(found)} differences")
    await redis.aclose()
    await database.close()
    return 1 if found else 0


if __name__ == "__main__":
    join_running_up()
    sys.exit(asyncio.run(main()))
