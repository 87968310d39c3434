"""`inkfold users …` as an operator runs it: it does what it says, and says what it did."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.commands.sessions import begin_session
from app.settings import Settings, settings
from tests.support.blog import Blog, happened

Inkfold = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
def inkfold(config: Settings) -> Inkfold:  # noqa: ARG001 - puts its URLs into the environment
    async def run(*arguments: str) -> Result:
        # In a thread, since the command has an event loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, ["users", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


async def test_an_account_is_shut_and_opened(blog: Blog, inkfold: Inkfold) -> None:
    ada = await blog.user("Ada")
    await begin_session(blog.store, user_id=ada.id, days=1)

    shut = await inkfold("deactivate", "ada")

    assert (shut.exit_code, shut.stderr) == (0, "")
    assert shut.stdout == (
        "Ada is deactivated, and 1 session ended. Nothing can be written in that name any more; what has been signed "
        "in reads for 900 s at most. To undo it: inkfold users reactivate Ada\n"
    )
    assert await blog.sql.fetchval("SELECT is_active FROM users") is False
    assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0

    opened = await inkfold("reactivate", "ada@example.org")

    assert (opened.exit_code, opened.stdout) == (0, "Ada is active again and can sign in.\n")
    assert await blog.sql.fetchval("SELECT is_active FROM users") is True
    assert [event[0] for event in await happened(blog.sql)][1:] == ["UserDeactivated", "UserReactivated"]


async def test_what_is_done_already_is_said_to_be(blog: Blog, inkfold: Inkfold) -> None:
    await blog.user("ada")
    opened = await inkfold("reactivate", "ada")
    assert (opened.exit_code, opened.stdout) == (0, "ada was active already. Nothing has changed.\n")
    await inkfold("deactivate", "ada")
    shut = await inkfold("deactivate", "ada")
    assert (shut.exit_code, shut.stdout) == (0, "ada was deactivated already. Nothing has changed.\n")
    assert len(await happened(blog.sql)) == 2


@pytest.mark.parametrize("command", ["deactivate", "reactivate"])
async def test_a_user_who_is_not_there_is_a_failure(blog: Blog, inkfold: Inkfold, command: str) -> None:
    await blog.user("ian")
    said = await inkfold(command, "lan")
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr == "There is no user 'lan'. Name one by the username or the e-mail address.\n"


async def test_without_redis_an_account_is_shut_all_the_same(
    blog: Blog, inkfold: Inkfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blog.user("ada")
    monkeypatch.setenv("REDIS_URL", "unix:///nowhere.sock")
    settings.cache_clear()
    try:
        said = await inkfold("deactivate", "ada")
    finally:
        settings.cache_clear()
    assert said.exit_code == 0
    assert await blog.sql.fetchval("SELECT is_active FROM users") is False
