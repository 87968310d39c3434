"""`inkfold projections …` when something is missing or goes away: a sentence with what to do, and no traceback."""

import asyncio
import os
import pty
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import orjson
import pytest

from app.settings import Settings, settings
from projections.engine.checkpoint import Connection
from tests.projections.cli.conftest import Inkfold, Started
from tests.projections.conftest import Connect, waiting_backend
from tests.support.blog import Blog

COMMANDS = (
    "status",
    "rebuild --all",
    "rebuild --all --dry-run",
    "rebuild --discard",
    "verify",
    "pause posts",
    "resume posts",
    "parked list",
    "parked show posts 1",
    "parked replay posts",
    "parked drop posts",
    "prune",
)


@pytest.fixture
def elsewhere(config: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:  # noqa: ARG001
    """Lets the environment name other servers."""
    yield monkeypatch
    monkeypatch.undo()
    settings.cache_clear()


def use(patch: pytest.MonkeyPatch, url: str) -> None:
    patch.setenv("DATABASE_URL", url)
    settings.cache_clear()


@pytest.fixture
async def unmigrated(sql: Connection, config: Settings) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    await sql.execute("CREATE DATABASE unmigrated")
    yield config.database_url.replace("/inkfold?", "/unmigrated?")
    await sql.execute("DROP DATABASE unmigrated WITH (FORCE)")


async def test_without_the_migrations_every_command_says_so(
    unmigrated: str, elsewhere: pytest.MonkeyPatch, inkfold: Inkfold
) -> None:
    use(elsewhere, unmigrated)
    for command in set(COMMANDS) - {"rebuild --discard"}:
        said = await inkfold(*command.split())
        assert (said.code, said.out) == (2 if command == "verify" else 1, ""), command
        assert said.err.startswith("This database is not up to date. Run `inkfold migrate` first."), command


async def test_without_postgresql_every_command_says_so(elsewhere: pytest.MonkeyPatch, inkfold: Inkfold) -> None:
    use(elsewhere, "postgresql://me:hidden@127.0.0.1:1/x")
    for command in COMMANDS:
        said = await inkfold(*command.split())
        assert (said.code, said.out) == (2 if command == "verify" else 1, ""), command
        assert said.err == "Can't reach PostgreSQL at 127.0.0.1:1: connection refused. Check DATABASE_URL.\n", command


async def test_an_account_without_the_rights_is_told(
    people: Blog, config: Settings, elsewhere: pytest.MonkeyPatch, inkfold: Inkfold
) -> None:
    await people.sql.execute("CREATE ROLE stranger LOGIN")
    try:
        use(elsewhere, re.sub(r"//[^/]*/", "//stranger@/", config.database_url))
        said = await inkfold("pause", "posts")
    finally:
        await people.sql.execute("DROP ROLE stranger")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        'The account of DATABASE_URL may not do this: permission denied to set role "inkfold_worker". '
        "Take the one that migrates.\n"
    )


@pytest.mark.parametrize(
    "case",
    [
        ("rebuild posts", 1, "Queries go on with the tables there were. What is filled is kept:"),
        ("verify posts", 2, "Verifying changes nothing."),
    ],
    ids=lambda case: case[0],
)
async def test_when_postgresql_goes_away_in_the_middle_it_is_a_sentence(
    people: Blog, inkfold: Inkfold, connect: Connect, case: tuple[str, int, str]
) -> None:
    command, code, afterwards = case
    blocker = await connect()
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE likes")
        running = asyncio.create_task(inkfold(*command.split()))
        pid = await waiting_backend(people.sql, "inkfold-building")
        await people.sql.execute("SELECT pg_terminate_backend($1)", pid)
        said = await running
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("PostgreSQL went away: ")
    assert re.search(r"(administrator command|the connection is closed)\. Run this again when it is back\.", said.err)
    assert afterwards in said.err


async def test_redis_may_be_away(people: Blog, elsewhere: pytest.MonkeyPatch, inkfold: Inkfold) -> None:
    elsewhere.setenv("REDIS_URL", "unix:///nowhere/redis.sock")
    settings.cache_clear()
    await people.sql.execute("UPDATE read_post SET like_count = 7")
    said = await inkfold("verify", "posts", "--repair")
    assert said.code == 0
    assert "Mended 2 rows." in said.out


async def test_a_verification_can_be_stopped(people: Blog, started: Started, connect: Connect) -> None:
    blocker = await connect()
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE likes")
        verify = await started("verify", "posts", "--json")
        await waiting_backend(people.sql, "inkfold-building")
        verify.send_signal(signal.SIGINT)
        out, err = await verify.communicate()
    assert (verify.returncode, out) == (130, b"")
    assert err.decode() == "Stopped. Verifying changes nothing.\n"


def read_terminal(terminal: int) -> str:
    shown = b""
    with suppress(OSError):  # the other end is closed
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    return shown.decode()


async def test_bars_are_for_terminals_and_standard_output_for_results(people: Blog, started: Started) -> None:  # noqa: ARG001
    terminal, its_end = pty.openpty()
    verify = await started("verify", "posts", "--json", stderr=its_end)
    os.close(its_end)
    shown, (out, _) = await asyncio.gather(asyncio.to_thread(read_terminal, terminal), verify.communicate())
    assert verify.returncode == 0
    assert orjson.loads(out)["projections"][0]["projection"] == "posts"
    assert "Comparing 2 tables" in shown
    assert re.search(r"([\d.]+ kB) of \1", shown)
