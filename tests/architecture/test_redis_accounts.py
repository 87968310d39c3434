"""The accounts that compose gives the API and the worker in Redis: enough for all they do, and for nothing besides."""

import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import NoPermissionError, RedisError

from app.doorbell import FOLD, enqueue
from app.embedded.process import wait_until
from app.embedded.redis import _program
from app.main import create_app
from app.redis_client import open_redis
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.compose import GIVEN, SERVICES, file_of, filled
from tests.support.limited_api import client_from, limited_api
from tests.support.people import PASSWORD, Person
from tests.support.running_worker import running_worker
from tests.support.waiting import until

#: Sees what was refused; compose has no such account.
EXAMINER = "user examiner on nopass ~* &* +@all"

REFUSED = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/tmp"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "api", "allcommands"),
    ("MONITOR",),
    ("DEBUG", "JMAP"),
    ("SHUTDOWN",),
    ("REPLICAOF", "203.0.113.1", "6379"),
    ("MODULE", "LIST"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("CLIENT", "LIST"),
    ("EVAL", "return 1", "0"),
    ("SCRIPT", "FLUSH"),
    ("GET", "another:key"),
    ("SET", "another:key", "1"),
    ("PUBLISH", "another:channel", "1"),
    ("RENAME", "inkfold:a", "inkfold:b"),
]


@dataclass(frozen=True)
class Guarded:
    """A Redis with the configuration of compose, listening on a unix socket."""

    socket: Path

    def url(self, account: str, password: str = GIVEN) -> str:
        return f"unix://{account}:{password}@{self.socket}?db=0"

    @asynccontextmanager
    async def client(self, account: str, password: str = GIVEN) -> AsyncIterator[Redis]:
        client: Redis = Redis.from_url(self.url(account, password), decode_responses=True)
        try:
            yield client
        finally:
            await client.aclose()

    async def refusals(self) -> list[dict[str, Any]]:
        async with self.client("examiner") as examiner:
            return list(await examiner.acl_log())


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with TemporaryDirectory(prefix="inkfold-") as folder:
        place = Path(folder)
        file, log, socket = place / "redis.conf", place / "redis.log", place / "redis.sock"
        own = f"port 0\nunixsocket {socket}\ndir {place}\nlogfile {log}"
        file.write_text(f"{file_of('redis')}\n{EXAMINER}\n{own}\n", "utf-8")
        with subprocess.Popen([str(_program()), str(file)]) as process:
            try:
                assert wait_until(lambda: answers(socket) or process.poll() is not None, pause=time.sleep, seconds=60)
                assert process.poll() is None, log.read_text("utf-8")
                yield Guarded(socket)
            finally:
                process.terminate()


def answers(socket: Path) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(socket), username="health", password="whatever") as health:
            return bool(health.ping())
    except RedisError:
        return False


@pytest.mark.parametrize("service", ["api", "worker"])
def test_each_service_signs_in_as_itself(service: str) -> None:
    url = filled(SERVICES[service]["environment"]["REDIS_URL"])

    assert url == f"redis://{service}:{GIVEN}@redis:6379/0"


async def test_all_that_api_and_worker_do_is_allowed(
    guarded: Guarded, config: Settings, sql: Connection, migrated: Projector
) -> None:
    del migrated  # built
    async with guarded.client("examiner") as examiner:
        await examiner.acl_log_reset()
    app = create_app(config.model_copy(update={"redis_url": guarded.url("api")}))
    async with (
        app.router.lifespan_context(app),
        running_worker(config.model_copy(update={"redis_url": guarded.url("worker")})) as worker,
    ):
        await until(lambda: _true(worker.hears))
        ada, bob = await Person.register(app, "ada"), await Person.register(app, "bob")
        await bob.put(f"/users/{ada.id}/subscribe/")
        post = await ada.publish("On engines")
        await bob.put(f"/posts/{post}/like/")

        async def notified() -> bool:
            return bool((await bob.get("/notifications/")).json()["unread_count"])

        async def top_is_cached() -> bool:
            top = await ada.get("/posts/top/")
            return top.headers["x-cache"] == "hit" and len(top.json()["items"]) == 1

        await until(notified)
        await until(top_is_cached)
        async with guarded.client("examiner") as examiner:
            await examiner.delete(*await examiner.keys("inkfold:*:top_posts:*"))
        assert (await ada.get("/posts/top/", headers={"Range": "bytes=0-"})).status_code == 200  # and puts it back
        assert (await bob.get("/feed/")).status_code == 200
        assert (await bob.get("/health/ready")).status_code == 200
        assert (await bob.get("/metrics")).status_code == 200
        bell = open_redis(guarded.url("api"))
        await enqueue(bell, FOLD)
        await bell.aclose()
        await worker.ctx["projector"].sweep()
        assert await worker.ctx["projector"].redis_answers()
        await worker.heart_beat()
        for person in (ada, bob):
            await person.aclose()
    assert await sql.fetchval("SELECT like_count FROM read_post") == 1
    assert await guarded.refusals() == []


async def test_all_that_rate_limits_do_is_allowed(guarded: Guarded, config: Settings, sql: Connection) -> None:
    del sql  # emptied
    async with guarded.client("examiner") as examiner:
        await examiner.flushall()
        await examiner.acl_log_reset()
        kept_by_us = config.model_copy(update={"redis_url": guarded.url("api")})
        rates = dict.fromkeys(("register", "login", "login_address", "writes", "reads"), "9/minute")
        async with limited_api(kept_by_us, **rates) as app, client_from(app, "203.0.113.7") as client:
            for _ in range(9):
                assert (await client.get("/posts/")).status_code == 200
            account = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
            assert (await client.post("/auth/register/", json=account)).status_code == 201
            signed_in = (await client.post("/auth/login/", json={"username": "ada", "password": PASSWORD})).json()
            client.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
            for _ in range(9):
                assert (await client.post("/notifications/read-all/")).status_code == 200

            async def counted() -> bool:
                counts = [str(key) for key in await examiner.keys("inkfold:limit*")]
                return all(any(kind in key for key in counts) for kind in ("register", "login", "write", "read"))

            await until(counted)
    assert await guarded.refusals() == []


@pytest.mark.parametrize("account", ["api", "worker"])
@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
async def test_what_none_of_them_does_is_refused(guarded: Guarded, account: str, command: tuple[str, ...]) -> None:
    async with guarded.client(account) as client:
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def test_a_script_is_held_to_the_same_keys_and_commands(guarded: Guarded) -> None:
    async with guarded.client("api") as client:
        for body in ("return redis.call('GET', 'another:key')", "return redis.call('FLUSHALL')"):
            with pytest.raises(RedisError, match=r"(?i)permission|can't (run|access)"):
                await client.register_script(body)()


async def test_nobody_gets_in_without_a_name(guarded: Guarded) -> None:
    nameless: Redis = Redis(unix_socket_path=str(guarded.socket))
    with pytest.raises(NotConnectedError, match="Authentication required"):
        await nameless.ping()
    await nameless.aclose()


async def test_a_wrong_password_lets_nobody_in(guarded: Guarded) -> None:
    async with guarded.client("api", "wrong") as client:
        with pytest.raises(NotConnectedError, match="invalid username-password pair"):
            await client.ping()


async def test_who_asks_for_health_may_do_nothing_else(guarded: Guarded) -> None:
    async with guarded.client("health", "whatever") as client:
        with pytest.raises(NoPermissionError):
            await client.get("inkfold:alive")


async def _true(value: object) -> bool:
    return bool(value)
