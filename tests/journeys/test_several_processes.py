"""Several API processes on one port and several workers: all have a share, one that ends is replaced, all stop."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from time import monotonic, sleep

import httpx
import psutil
import pytest

from tests.support.running_system import RunningSystem, running_system

_PATIENCE_SECONDS = 60
_REQUESTS = 40


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    settings = {"API_WORKERS": "2", "WORKERS": "2"}
    with running_system(tmp_path_factory.mktemp("data"), settings=settings) as running:
        yield running
        descendants = psutil.Process(running.process.pid).children(recursive=True)
    assert not [process for process in descendants if process.is_running()]


def programs(system: RunningSystem, *words: str) -> set[psutil.Process]:
    """Return those of the system's own processes whose command line ends with these words."""
    found = set()
    for process in psutil.Process(system.process.pid).children(recursive=True):
        try:
            if tuple(process.cmdline()[-len(words) :]) == words:
                found.add(process)
        except psutil.NoSuchProcess:
            continue
    return found


def have_answered(process: psutil.Process) -> bool:
    return (Path(process.environ()["PROMETHEUS_MULTIPROC_DIR"]) / f"counter_{process.pid}.db").exists()


def ask_until_all_have_answered(system: RunningSystem) -> set[psutil.Process]:
    """Ask, each time over a new connection; return the API's processes."""
    deadline = monotonic() + _PATIENCE_SECONDS
    while monotonic() < deadline:
        assert httpx.get(f"{system.url}/health/live").status_code == HTTPStatus.OK
        answering = {process for process in programs(system, "api", "--shared") if have_answered(process)}
        if len(answering) == 2:
            return answering
    raise AssertionError("Only one of two processes answers.")


def test_both_api_processes_answer(system: RunningSystem) -> None:
    assert len(ask_until_all_have_answered(system)) == 2


def test_two_workers_run(system: RunningSystem) -> None:
    assert len(programs(system, "worker")) == 2


def test_whichever_is_asked_shows_the_requests_that_all_have_answered(system: RunningSystem) -> None:
    ask_until_all_have_answered(system)
    for _ in range(_REQUESTS):
        assert (
            httpx.get(f"{system.url}/users/00000000-0000-0000-0000-000000000000/").status_code == HTTPStatus.NOT_FOUND
        )
    deadline = monotonic() + _PATIENCE_SECONDS
    while counted(system) < _REQUESTS and monotonic() < deadline:
        sleep(0.01)  # each counts a moment later
    assert [counted(system) for _ in range(8)] == [_REQUESTS] * 8


def counted(system: RunningSystem) -> float:
    """How many requests of that route whichever process is asked says were answered."""
    shown = httpx.get(f"{system.url}/metrics").text
    assert len(re.findall(r'^inkfold_projection_behind\{projection="posts"\}', shown, re.MULTILINE)) == 1
    counts = re.findall(r'^inkfold_http_requests_total\{.*route="/users/\{user_id\}/?".*\} (\S+)$', shown, re.MULTILINE)
    assert len(counts) <= 1
    return sum(map(float, counts))


def test_an_api_process_that_was_killed_is_replaced(system: RunningSystem) -> None:
    killed = ask_until_all_have_answered(system).pop()
    killed.kill()
    deadline = monotonic() + _PATIENCE_SECONDS
    while killed in programs(system, "api", "--shared") and monotonic() < deadline:
        sleep(0.05)
    assert killed not in ask_once_it_is_replaced(system)


def ask_once_it_is_replaced(system: RunningSystem) -> set[psutil.Process]:
    deadline = monotonic() + _PATIENCE_SECONDS
    while len(programs(system, "api", "--shared")) < 2 and monotonic() < deadline:
        sleep(0.05)
    return ask_until_all_have_answered(system)
