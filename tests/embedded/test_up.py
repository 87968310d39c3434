"""`inkfold up` as a whole, with small stand-ins for the API and the worker, which this part does not own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis

#: Runs `up` with an API that says it is ready, and a migration that says what it was given.
CODE = """
import sys
from app.embedded.environment import settings_for_up
from app.embedded.up import Commands, Up

api = '''
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready).serve_forever()
'''
worker = "import time; time.sleep(600)"
migrate = "import os; print('migrating', *(os.environ[key] for key in ('DATABASE_URL', 'REDIS_URL', 'SECRET_KEY')))"
broken = "import sys; sys.exit(7)"
programs = {"migrate": migrate, "api": api, "worker": worker, **{name: broken for name in sys.argv[1:]}}
commands = Commands(**{name: (sys.executable, "-c", code) for name, code in programs.items()})
sys.exit(Up(settings_for_up(), commands).run())
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ours = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"}}
    return {**ours, "DATA_DIR": str(tmp_path / "data"), "HOST": "127.0.0.1", "PORT": str(port)}


@contextmanager
def started(environment: dict[str, str], *broken: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CODE, *broken]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout
    lines: list[str] = []
    while not lines or (lines[-1] and word not in lines[-1]):
        lines.append(process.stdout.readline())
    return "".join(lines)


def test_ctrl_c_stops_everything_and_a_second_start_finds_the_data(environment: dict[str, str]) -> None:
    for _ in range(2):
        with started(environment) as up:
            said = read_until(up, "Stop ")
            assert f"http://127.0.0.1:{environment['PORT']}/docs" in said
            assert "migrating postgresql://postgres@/inkfold?host=/" in said
            children = psutil.Process(up.pid).children(recursive=True)
            assert {"postgres", "redis-server"} <= {child.name() for child in children}
            os.killpg(up.pid, signal.SIGINT)
            assert up.wait() == 0
            assert not [child for child in children if child.is_running()]
    assert (Path(environment["DATA_DIR"]) / "secret_key").exists()


def test_ctrl_c_while_it_starts_leaves_nothing_behind(environment: dict[str, str]) -> None:
    with started(environment) as up:
        read_until(up, "migrating")
        children = psutil.Process(up.pid).children(recursive=True)
        up.send_signal(signal.SIGTERM)
        assert up.wait() == 0
        assert not [child for child in children if child.is_running()]


def test_a_busy_port_is_told_before_anything_is_made(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["PORT"]))), started(environment) as up:
        said = read_until(up, "\0")
        assert up.wait() == 1
    assert f"Port {environment['PORT']} on 127.0.0.1 cannot be listened on: address already in use." in said
    assert "PORT=" in said
    assert not Path(environment["DATA_DIR"]).exists()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("api", "The API ended with exit code 7 before it was ready"),
        ("migrate", "The migrations ended with exit code 7"),
    ],
)
def test_a_part_that_cannot_start_ends_it_in_words(environment: dict[str, str], broken: str, words: str) -> None:
    with started(environment, broken) as up:
        assert words in read_until(up, "\0")
        assert up.wait() == 1


def test_servers_that_are_given_are_used(
    environment: dict[str, str], postgres: EmbeddedPostgres, redis_server: EmbeddedRedis
) -> None:
    given = {"DATABASE_URL": postgres.dsn(), "REDIS_URL": redis_server.url, "SECRET_KEY": "k" * 40}
    with started({**environment, **given}) as up:
        said = read_until(up, "Stop ")
        up.send_signal(signal.SIGHUP)
        assert up.wait() == 0
    assert f"migrating {postgres.dsn()} {redis_server.url} {'k' * 40}" in said
    assert not list(Path(environment["DATA_DIR"]).iterdir())


@pytest.mark.parametrize(
    ("name", "url", "sentence"),
    [
        ("DATABASE_URL", "postgresql://me:hidden@127.0.0.1:1/x", "Can't reach PostgreSQL at 127.0.0.1:1: connection"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:1/0", "Can't reach Redis at 127.0.0.1:1: connection refused."),
    ],
)
def test_a_given_server_out_of_reach_is_told_before_anything_is_made(
    environment: dict[str, str], name: str, url: str, sentence: str
) -> None:
    with started({**environment, name: url}) as up:
        said = read_until(up, "\0")
        assert up.wait() == 1
    assert f"Inkfold cannot start. {sentence}" in said
    assert f"Check {name}." in said
    assert "hidden" not in said
    assert not Path(environment["DATA_DIR"]).exists()


def test_a_data_folder_that_is_a_file_is_told(environment: dict[str, str]) -> None:
    file = Path(environment["DATA_DIR"])
    file.write_text("")
    with started(environment) as up:
        assert f"{file} is not a folder. Choose another with DATA_DIR." in read_until(up, "\0")
        assert up.wait() == 1


def test_an_address_that_is_not_of_this_machine_is_told(environment: dict[str, str]) -> None:
    with started({**environment, "HOST": "no..such"}) as up:
        assert "HOST=no..such is not an address of this machine" in read_until(up, "\0")
        assert up.wait() == 1
