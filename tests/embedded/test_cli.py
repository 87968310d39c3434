"""The command line: what it says when settings are missing, and how it finds the servers of a running `up`."""

import os
import socket
from pathlib import Path
from typing import cast

import pytest

from app import cli
from app.embedded.environment import join_running_up
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.settings import settings
from tests.embedded.conftest import QUICK

SETTINGS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in SETTINGS:
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("bare")
def test_each_missing_setting_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["inkfold", "up"])
    monkeypatch.setenv("PORT", "no port")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    said = capsys.readouterr().err
    assert "PORT is not usable: it must be a whole number from 1 to 65535." in said
    assert "LOG_LEVEL is not usable: it must be debug, info, warning or error." in said


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit code and what it said on standard error."""
    settings.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["inkfold", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    settings.cache_clear()
    return cast("int", ended.value.code), capsys.readouterr().err


def test_a_missing_setting_names_its_variable_and_the_ways_to_give_it(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(capsys, "migrate")
    assert code == 2
    assert f"DATABASE_URL is not set, and no `inkfold up` runs on {bare} here. Set it, or start `inkfold up`" in said


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_URL", "mysql://h/x", "it must begin with postgresql:// or postgres://"),
        ("REDIS_URL", "localhost:6379", "it must begin with redis://, rediss:// or unix://"),
        ("SECRET_KEY", "short", "it must have at least 32 characters"),
        ("HASHING_THREADS", "0", "it must be 1 or more"),
        ("POOL_TIMEOUT_SECONDS", "0", "it must be more than 0"),
        ("DOCS_ENABLED", "perhaps", "it must be true or false"),
    ],
)
def test_an_unusable_setting_is_told_with_what_is_expected(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    code, said = run(capsys, "up")
    assert (code, said) == (2, f"{name} is not usable: {expected}.\n")


@pytest.fixture
def unreachable(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden@127.0.0.1:1/x")
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))
    return bare


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("command", ["api", "worker", "migrate", "projections status"])
def test_a_postgresql_out_of_reach_is_a_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "Can't reach PostgreSQL at 127.0.0.1:1: connection refused. Check DATABASE_URL.\n"
    assert run(capsys, *command.split()) == (1, sentence)


@pytest.mark.usefixtures("unreachable")
def test_a_port_in_use_is_told_by_the_api_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        code, said = run(capsys, "api")
    assert code == 1
    assert f"Port {port} on 127.0.0.1 cannot be listened on: address already in use." in said


def test_commands_join_the_servers_of_a_running_up(bare: Path) -> None:
    with (
        EmbeddedPostgres(bare / "postgres", settings=QUICK) as postgres,
        EmbeddedRedis(bare / "redis") as redis_server,
    ):
        join_running_up()
        assert os.environ["DATABASE_URL"] == postgres.dsn()
        assert os.environ["REDIS_URL"] == redis_server.url
        assert len(os.environ["SECRET_KEY"]) >= 32


@pytest.mark.usefixtures("bare")
def test_without_a_running_up_nothing_is_made_up() -> None:
    join_running_up()
    assert not [name for name in SETTINGS if name in os.environ]
