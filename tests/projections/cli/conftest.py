"""`inkfold projections …` as a person runs it: in this process, or in one of its own to be interrupted."""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.engine.shadow import shadow_schemas
from projections.projector import Projector
from tests.support.blog import Blog

Inkfold = Callable[..., Coroutine[Any, Any, "Said"]]
Started = Callable[..., Awaitable[Process]]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


@pytest.fixture
async def inkfold(sql: Connection) -> AsyncIterator[Inkfold]:
    """Runs `inkfold projections` with some arguments; whatever a rebuild has left is dropped afterwards."""

    async def run(*arguments: str, answer: str | None = None, columns: int = 80) -> Said:
        # In a thread, since the command has an event loop of its own.
        result = await asyncio.to_thread(
            CliRunner().invoke, app, ["projections", *arguments], input=answer, env={"COLUMNS": str(columns)}
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    # Another test's API may have had this process's records shown as an API shows them, which no command does.
    shown = [handler for handler in logging.getLogger().handlers if type(handler).__module__ == "app.logs"]
    for handler in shown:
        logging.getLogger().removeHandler(handler)
    yield run
    for handler in shown:
        logging.getLogger().addHandler(handler)
    for schema in await shadow_schemas(sql):
        await sql.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
async def started(sql: Connection, config: Settings) -> AsyncIterator[Started]:
    """Starts `inkfold projections` in a process of its own."""
    processes: list[Process] = []

    async def start(*arguments: str, stderr: int = PIPE) -> Process:
        environment = os.environ | {
            "DATABASE_URL": config.database_url,
            "REDIS_URL": config.redis_url,
            "SECRET_KEY": config.secret_key.get_secret_value(),
            "TERM": "xterm",
            "COLUMNS": "100",
        }
        command = (sys.executable, "-m", "app.cli", "projections", *arguments)
        processes.append(await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=stderr))
        return processes[-1]

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    for schema in await shadow_schemas(sql):
        await sql.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
async def people(blog: Blog, projector: Projector) -> Blog:
    """A blog with rows in every read table, all folded."""
    ada, bob, eve = [await blog.user(name) for name in ("ada", "bob", "eve")]
    await blog.subscribe(bob, ada)
    await blog.subscribe(eve, ada)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.announce()
    await blog.post(bob)
    await projector.fold()
    return blog
