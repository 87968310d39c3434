"""What people see of a running system when part of it dies, hangs or comes back: what they wrote, or nothing wrong."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest

from tests.support.running_system import RunningSystem, running_system, wait_until_ready

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Reader:
    """Someone signed in who likes a post and looks at it."""

    client: httpx.Client
    post_id: str

    def like(self) -> None:
        assert self.client.put(f"/posts/{self.post_id}/like/").status_code == 200

    def unlike(self) -> None:
        assert self.client.delete(f"/posts/{self.post_id}/like/").status_code == 200

    def sees(self) -> tuple[int, bool]:
        answer = self.client.get(f"/posts/{self.post_id}/")
        assert answer.status_code == 200, answer.text
        return answer.json()["like_count"], answer.json()["liked_by_me"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    with running_system(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def ada(system: RunningSystem) -> Iterator[Reader]:
    with httpx.Client(base_url=system.url, timeout=30) as client:
        name = f"ada-{time.time_ns() % 10**12}"
        account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        assert client.post("/auth/register/", json=account).status_code == 201
        tokens = client.post("/auth/login/", json={"username": name, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        post = client.post("/posts/", json={"title": "A title", "content": "Some content."})
        yield Reader(client, post.json()["id"])


def child(system: RunningSystem, *words: str) -> psutil.Process:
    """The first started of the system's processes whose command line has all these words."""
    children = psutil.Process(system.process.pid).children(recursive=True)
    return min((process for process in children if mentions(process, words)), key=lambda process: process.pid)


def mentions(process: psutil.Process, words: tuple[str, ...]) -> bool:
    try:
        command = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return all(any(word in part for part in command) for word in words)


def test_own_writes_are_read_while_redis_hangs(system: RunningSystem, ada: Reader) -> None:
    assert ada.sees() == (0, False)
    redis = child(system, "redis-server")
    redis.suspend()
    try:
        ada.like()
        assert ada.sees() == (1, True)
        assert ada.client.get("/posts/00000000-0000-0000-0000-000000000000/").status_code == 404
        assert ada.client.get("/health/ready").json()["redis"] != "ok"
    finally:
        redis.resume()
    ada.unlike()
    assert ada.sees() == (0, False)


def test_own_writes_are_read_after_redis_was_killed(system: RunningSystem, ada: Reader) -> None:
    child(system, "redis-server").kill()
    ada.like()
    assert ada.sees() == (1, True)
    wait_until_ready(system.url, system.process)
    assert ada.sees() == (1, True)


def test_own_writes_are_read_after_postgresql_was_killed(system: RunningSystem, ada: Reader) -> None:
    ada.like()
    assert ada.sees() == (1, True)
    child(system, "postgres", "-D").kill()
    wait_until_ready(system.url, system.process)
    assert ada.sees() == (1, True)


def test_a_worker_that_hangs_does_not_keep_another_from_its_work(system: RunningSystem, ada: Reader) -> None:
    second = subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], env=system.environment)
    first = child(system, "app.cli", "worker")
    try:
        for turn in range(8):
            ada.like()
            assert ada.sees() == (1, True)
            first.suspend()
            ada.unlike()
            assert ada.sees() == (0, False), f"turn {turn}"
            first.resume()
    finally:
        first.resume()
        second.terminate()
        second.wait(30)
