"""Rate limits while Redis is away or hangs: reads and writes go on, and who guesses passwords is still counted."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest
from redis.asyncio import Redis

from app.rate_limits.counts import SharedCounts
from app.rate_limits.deferred import DeferredLimit
from app.rate_limits.policies import Policy, refusal
from app.settings import Settings
from projections.engine.checkpoint import Connection
from tests.conftest import Servers
from tests.support.limited_api import client_from, limited_api
from tests.support.people import PASSWORD, Person

Away = Callable[[Servers], AbstractContextManager[None]]


@contextmanager
def stopped(servers: Servers) -> Iterator[None]:
    servers.redis.stop()
    try:
        yield
    finally:
        servers.redis.start()


@contextmanager
def hanging(servers: Servers) -> Iterator[None]:
    os.kill(servers.redis.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(servers.redis.pid, signal.SIGCONT)


async def attempt(client: httpx.AsyncClient) -> int:
    answer = await client.post("/auth/login/", json={"username": "eve", "password": PASSWORD})
    return answer.status_code


async def register(client: httpx.AsyncClient, name: str) -> int:
    person = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    return (await client.post("/auth/register/", json=person)).status_code


@pytest.mark.usefixtures("sql")
@pytest.mark.parametrize("away", [stopped, hanging])
async def test_whoever_guesses_passwords_is_counted_by_the_process_itself(
    config: Settings, servers: Servers, away: Away
) -> None:
    async with limited_api(config, login="2/hour", register="2/hour") as app, client_from(app, "203.0.113.9") as far:
        with away(servers):
            assert [await attempt(far) for _ in range(3)] == [401, 401, 429]
            assert [await register(far, name) for name in ("bob", "cleo", "dora")] == [201, 201, 429]


@pytest.mark.usefixtures("sql")
async def test_reads_and_writes_go_on(config: Settings, servers: Servers) -> None:
    async with limited_api(config, writes="2/hour", reads="2/hour") as app, client_from(app, "203.0.113.9") as far:
        ada = await Person.register(app, "ada")
        like = f"/posts/{await ada.publish()}/like/"
        with stopped(servers):
            likes = [(await ada.put(like)).status_code for _ in range(5)]
            lists = [(await far.get("/posts/")).status_code for _ in range(5)]
    assert set(likes + lists) == {200}


async def test_a_redis_that_hangs_is_waited_for_once(redis: Redis, servers: Servers) -> None:
    policy = Policy.parse("2/hour", "writes", counted="writes")
    assert policy is not None
    limit = DeferredLimit(policy, SharedCounts(redis))
    with hanging(servers):
        limit.spend("ada")
        [telling] = limit._telling
        await telling
        assert [refusal(limit.spend("ada")) for _ in range(100)] == [None] * 100
        assert not limit._telling


async def test_counting_goes_on_in_redis_once_it_is_back(config: Settings, servers: Servers, sql: Connection) -> None:
    async with limited_api(config, login="2/hour") as app, client_from(app, "203.0.113.9") as far:
        with stopped(servers):
            assert await attempt(far) == 401
        app.state.rate_limits._shared.absence._ask_again_at = 0.0  # the while is over in which it is not asked
        assert [await attempt(far) for _ in range(3)] == [401, 401, 429]
    assert await sql.fetchval("SELECT count(*) FROM users") == 0
