"""`inkfold demo` as a person runs it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from tests.demo.conftest import held_up, is_held_up


async def _start(config: Settings, *options: str) -> Process:
    environment = os.environ | {
        "DATABASE_URL": config.database_url,
        "REDIS_URL": config.redis_url,
        "SECRET_KEY": config.secret_key.get_secret_value(),
        "COLUMNS": "120",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "demo", *options, env=environment, stdout=PIPE, stderr=PIPE
    )


async def test_it_says_what_it_added_and_how_to_sign_in(config: Settings, sql: Connection) -> None:
    demo = await _start(config, "--users", "20", "--posts", "30", "--likes", "400", "--seed", "1")
    out, err = (stream.decode() for stream in await demo.communicate())
    assert demo.returncode == 0, err
    assert "Added 20 users, 30 posts, 160 subscriptions and 400 likes in " in out
    assert "Sign in as demo-ada-000001, demo-alan-000002, demo-amara-000003 or any other" in out
    assert await sql.fetchval("SELECT count(*) FROM likes") == 400


async def test_ctrl_c_leaves_nothing(config: Settings, sql: Connection) -> None:
    async with held_up(config.database_url):
        demo = await _start(config, "--users", "20", "--posts", "30", "--likes", "400")
        await is_held_up(sql, ended=lambda: demo.returncode is not None)
        demo.send_signal(signal.SIGINT)
        _, err = await demo.communicate()
    assert demo.returncode == 130
    assert err.decode().strip() == "Stopped. Nothing was added."
    assert await sql.fetchval("SELECT count(*) FROM users") == 0


async def test_a_database_that_is_not_there_is_a_sentence(config: Settings) -> None:
    gone = config.model_copy(update={"database_url": "postgresql://nobody@/inkfold?host=/nowhere"})
    demo = await _start(gone)
    _, err = await demo.communicate()
    assert demo.returncode == 1
    assert "Nothing was added. Can't reach PostgreSQL" in err.decode()
    assert "Traceback" not in err.decode()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--users", "3", "--posts", "4", "--likes", "13"], "3 users can like 4 posts 12 times at most"),
        (["--users", "0"], "--users"),
        (["--likes", "-1"], "--likes"),
        (["--posts", "many"], "--posts"),
    ],
)
def test_sizes_that_cannot_be_are_refused(options: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["demo", *options], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
