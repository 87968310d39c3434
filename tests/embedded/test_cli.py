"""The command line: what it says when settings are missing, and how it finds the servers of a running `up`."""

import os
from pathlib import Path

import pytest

from app import cli
from app.embedded.environment import join_running_up
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
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
    assert "PORT is not usable: input should be a valid integer" in said
    assert "LOG_LEVEL is not usable" in said


def test_a_missing_setting_names_its_variable() -> None:
    assert cli._sentence(("database_url",), "missing", "Field required").startswith("DATABASE_URL is not set.")


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
