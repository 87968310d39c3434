"""The disk is full: commands are refused in words, what was stored stays right, and all goes on when there is room."""

import random
import string
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.support.people import PASSWORD
from tests.support.running_system import RunningSystem, running_system
from tests.support.small_volume import fill, on_small_volume, seen_by

_MEGABYTES = 160
_PATIENCE_SECONDS = 60


def incompressible(characters: int) -> str:
    return "".join(random.choices(string.ascii_letters + string.digits, k=characters))


def publish(client: httpx.Client) -> httpx.Response:
    return client.post("/posts/", json={"title": "A title", "content": incompressible(40_000)})


def sign_up(client: httpx.Client) -> None:
    account = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    assert client.post("/auth/register/", json=account).status_code == 201
    tokens = client.post("/auth/login/", json={"username": "ada", "password": PASSWORD}).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def refused(answer: httpx.Response) -> bool:
    """Say whether a command was refused for lack of room; nothing else may be in its way."""
    if answer.is_success:
        return False
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/storage-full"
    assert int(answer.headers["Retry-After"]) > 0
    return True


def seen(client: httpx.Client) -> set[str]:
    answer = client.get("/posts/?limit=100")
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


def has_no_differences(system: RunningSystem, data: Path) -> bool:
    url = f"postgresql://postgres@/inkfold?host={data / 'postgres' / 'run'}"
    environment = {**system.environment, "DATABASE_URL": url, "REDIS_URL": "redis://unused", "SECRET_KEY": "-" * 32}
    verify = subprocess.run([sys.executable, "-m", "app.cli", "projections", "verify"], env=environment, check=False)
    return verify.returncode == 0


def test_fault_18_commands_are_refused_while_the_disk_is_full_and_nothing_is_lost() -> None:
    with (
        TemporaryDirectory(prefix="inkfold-") as folder,
        running_system(Path(folder) / "data", within=on_small_volume(Path(folder), megabytes=_MEGABYTES)) as system,
        httpx.Client(base_url=system.url, timeout=30) as ada,
    ):
        sign_up(ada)
        stored = {publish(ada).json()["id"] for _ in range(3)}
        assert seen(ada) == stored
        post = min(stored)
        volume = seen_by(system.process.pid, Path(folder))
        ballast = fill(volume)
        try:
            refusals = 0
            while refusals < 5:
                answer = publish(ada)
                refusals += refused(answer)
                if answer.is_success:
                    stored.add(answer.json()["id"])
            refused(ada.put(f"/posts/{post}/like/"))
            assert ada.get(f"/posts/{post}/", headers={"Prefer": "stale"}).status_code == 200
            assert ada.get("/health/live").status_code == 200
        finally:
            ballast.unlink()
        until(lambda: not refused(ada.delete(f"/posts/{post}/")))
        until(lambda: ada.get("/posts/").status_code == 200)
        assert seen(ada) == stored - {post}
        assert has_no_differences(system, volume / "data")
