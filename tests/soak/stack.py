"""The real stack: a PostgreSQL, a Redis, worker processes, and two APIs that share a process and nothing else.

The machine builds one and empties it before each run.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import asyncpg
import httpx
import orjson
from fastapi import FastAPI
from redis import Redis
from typer.testing import CliRunner, Result

from app.cache import TOKEN_SECONDS
from app.cli import app as command_line
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.main import create_app
from app.migrate import migrate
from app.settings import Settings, settings
from tests.soak.background import Background
from tests.soak.oracle import Json
from tests.soak.tally import Difference, Tally
from tests.soak.workers import Workers

APIS = 2

#: Small steps and chunks, so that a few commands already make several; and time to wait for what is set going again.
_SETTINGS = {
    "FOLD_EVENTS_PER_STEP": "5",
    "NOTIFICATION_CHUNK": "2",
    "ACCESS_TOKEN_SECONDS": "86400",
    "CONSISTENCY_WAIT_SECONDS": "30",
    "DOCS_ENABLED": "false",
    "LOG_LEVEL": "error",
    "SECRET_KEY": "a-secret-that-only-this-machine-knows",
    # The same few sign in again in each run.
    "RATE_LIMIT_LOGIN": "",
    "RATE_LIMIT_WRITES": "",
    "RATE_LIMIT_READS": "",
}
_UNREST_SECONDS = 60
_LOOK_SECONDS = 0.01


@dataclass(slots=True)
class Stack:
    """Everything that runs; made by `running_stack`."""

    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    workers: Workers
    background: Background
    tally: Tally
    environment: dict[str, str]
    _lives: AsyncExitStack = field(default_factory=AsyncExitStack)
    apps: list[FastAPI] = field(default_factory=list)
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def renew(self, *, long_memory: bool) -> None:
        """Begin with an empty blog, one worker and fresh APIs; with a long memory, Redis is trusted from the start."""
        self.workers.kill_all()
        self.close_apis()
        self.postgres.drop_database("inkfold")
        self.postgres.create_database("inkfold", template="pristine")
        self.background.run(migrate(self.postgres.dsn()))  # a copy lacks what roles may do with the database itself
        with Redis.from_url(self.redis.url) as redis:
            redis.flushall()
            if long_memory:
                redis.set("inkfold:tokens:since", int(time.time()) - 10 * TOKEN_SECONDS)
        self.workers.start()
        self.background.run(self._open_apis())

    def close_apis(self) -> None:
        """End the APIs."""
        self.background.run(self._lives.aclose())

    def sql(self, query: str, *values: Any) -> list[Json]:
        """Run a statement as the superuser over a connection of its own; return its rows as JSON objects."""
        return self.background.run(self._sql(query, *values))

    def look(self, rest: str, *values: Any) -> list[Json]:
        """Return rows of a table, given what follows FROM."""
        return self.sql(f"SELECT * FROM {rest}", *values)

    def inkfold(self, *words: str) -> Result:
        """Run the command line in this process."""
        settings.cache_clear()
        try:
            return CliRunner().invoke(command_line, words, env=self.environment)
        finally:
            settings.cache_clear()

    def start_inkfold(self, *words: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the command line in a process of its own, which writes all it says to `output`."""
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *words],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until(self, what: str, condition: Callable[[], bool], why_not: str) -> None:
        """Look until the condition holds; raises Difference with the rows of the query `why_not` if it never does."""
        deadline = time.monotonic() + _UNREST_SECONDS
        while not condition():
            self.workers.replace_ended()
            if time.monotonic() > deadline:
                raise Difference("\n".join([f"Not {what} after {_UNREST_SECONDS} s:", *map(str, self.sql(why_not))]))
            time.sleep(_LOOK_SECONDS)

    async def _sql(self, query: str, *values: Any) -> list[Json]:
        connection = await asyncpg.connect(self.postgres.dsn(), server_settings={"TimeZone": "UTC"})
        try:
            rows = await connection.fetch(query, *values)
        finally:
            await connection.close()
        dumped = orjson.dumps([dict(row) for row in rows], default=str, option=orjson.OPT_UTC_Z)
        found: list[Json] = orjson.loads(dumped)
        return found

    async def _open_apis(self) -> None:
        config = Settings(**{name.lower(): value for name, value in self.environment.items()})  # type: ignore[arg-type]
        self._lives = AsyncExitStack()
        self.apps = [create_app(config) for _ in range(APIS)]
        self.clients = []
        for app in self.apps:
            await self._lives.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test")
            self.clients.append(await self._lives.enter_async_context(client))


@contextmanager
def running_stack(tally: Tally) -> Iterator[Stack]:
    """Start the servers and migrate; end everything afterwards."""
    background = Background()
    with TemporaryDirectory(prefix="inkfold-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "pg", settings={"fsync": "off", "full_page_writes": "off"})
        redis = EmbeddedRedis(folder / "redis")
        environment = {**_SETTINGS, "DATABASE_URL": postgres.dsn(), "REDIS_URL": redis.url}
        workers = Workers({**environment, "LOG_LEVEL": "info"}, log=folder / "workers.log", tally=tally)
        stack = Stack(postgres, redis, workers, background, tally, environment)
        try:
            with postgres, redis:
                background.run(migrate(postgres.dsn()))
                postgres.create_database("pristine", template="inkfold")
                try:
                    yield stack
                finally:
                    workers.kill_all()
                    stack.close_apis()
        finally:
            background.close()
