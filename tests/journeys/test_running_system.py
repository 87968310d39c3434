"""What a newcomer does with the system as a whole: starts it, follows the README, and it withstands a storm."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.running_system import RunningSystem, running_system

#: This machine may be busy with other tests.
_LENIENT = ("--most-p95", "20000", "--most-lag", "20")
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    with running_system(tmp_path_factory.mktemp("data")) as running:
        yield running


def test_the_tour_in_the_readme_works_when_pasted(system: RunningSystem) -> None:
    tour = re.search(r"## A tour with curl.*?```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert tour is not None
    done = system.run("bash", "-e", "-o", "pipefail", "-c", tour[1])
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line for line in done.stdout.splitlines() if line]
    assert len(answers) == 11
    assert '"liked":true' in answers[3]
    assert "On engines" in answers[4]
    assert '"like_count":1' in answers[6]
    assert '"total":1' in answers[9]


def test_a_storm_with_a_killed_worker_and_a_flushed_redis_leaves_no_difference(system: RunningSystem) -> None:
    storm = ("--writers", "12", "--commands", "25", "--kills", "2", "--flushes", "1", "--host", system.url)
    done = system.run(sys.executable, "loadtests/storm.py", *storm)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("0 differences")
    assert "5xx" not in done.stdout


def test_a_load_test_keeps_to_its_limits_or_fails_and_says_why(system: RunningSystem, tmp_path: Path) -> None:
    locust = (sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--host", system.url)
    people = ("--users", "12", "--spawn-rate", "12", "--run-time", "8s", "--html", str(tmp_path / "report.html"))
    mixed = system.run(*locust, *people, "--weights", "Reader=2,Liker=2,Writer=2,Follower=2,Analyst=4", *_LENIENT)
    assert mixed.returncode == 0, mixed.stdout + mixed.stderr
    assert "/analytics/likes/" in mixed.stderr
    assert "/analytics/likes/" in (tmp_path / "report.html").read_text("utf-8")  # each analyst asks for nothing else
    strict = system.run(*locust, *people, "--weights", "Reader=1", "--most-lag", "-1")
    assert strict.returncode == 1, strict.stdout + strict.stderr
    assert "FAILED: A projection was 0." in strict.stdout


def test_projections_status_and_verify_say_that_all_is_well(system: RunningSystem) -> None:
    status = system.run(sys.executable, "-m", "app.cli", "projections", "status", "--json")
    assert status.returncode == 0, status.stderr
    assert '"like_statistics"' in status.stdout
    verify = system.run(sys.executable, "-m", "app.cli", "projections", "verify")
    assert verify.returncode == 0, verify.stdout + verify.stderr
    assert "none differs" in verify.stdout


def test_stopped_and_started_again_it_has_its_data_and_leaves_no_process(tmp_path: Path) -> None:
    account = {"username": "ada", "email": "ada@example.org", "password": "correct horse battery"}
    with running_system(tmp_path) as first:
        assert httpx.post(f"{first.url}/auth/register/", json=account).status_code == 201
        children = psutil.Process(first.process.pid).children(recursive=True)
        assert len(children) >= 4
    assert not [child for child in children if child.is_running()]
    with running_system(tmp_path) as second:
        assert httpx.post(f"{second.url}/auth/register/", json=account).status_code == 409
        login = {"username": "ada", "password": "correct horse battery"}
        assert httpx.post(f"{second.url}/auth/login/", json=login).status_code == 200
