"""The system under test: an `inkfold up` of the benchmark's own, on a data folder that is kept or thrown away."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from app.embedded.environment import join_running_up
from app.embedded.process import end, last_words
from app.embedded.up import is_ready
from app.settings import Settings, settings
from loadtests.bench.figures import LineFailedError
from loadtests.bench.processes import Processes
from loadtests.bench.program import free_port, start

#: So that no token that is signed here expires in the middle.
TOKEN_SECONDS: Final = 86_400

#: A few people here do what otherwise thousands do.
_UNLIMITED: Final = dict.fromkeys(
    ("RATE_LIMIT_LOGIN", "RATE_LIMIT_LOGIN_ADDRESS", "RATE_LIMIT_REGISTER", "RATE_LIMIT_WRITES", "RATE_LIMIT_READS"),
    "",
)
_START_SECONDS: Final = 180
_STOP_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class System:
    """A system that answers at `port` of 127.0.0.1. This process's settings are those of its programs."""

    port: int
    folder: Path
    processes: Processes
    config: Settings

    @asynccontextmanager
    async def another(self, command: str, **environment: str) -> AsyncIterator[int]:
        """Run a second `inkfold api`, or `inkfold up`, on the same servers until the block ends; yields its port.

        The processor time of all its processes is that of the group `second`.
        """
        port, folder = free_port(), self.folder / "second"
        folder.mkdir(exist_ok=True)
        own = {"PORT": str(port), "DATA_DIR": str(folder), **environment}
        process = start("app.cli", command, log=folder / "second.log", **own)
        self.processes.added["second"] = process.pid
        try:
            await _until_ready(process, port, folder / "second.log")
            yield port
        finally:
            del self.processes.added["second"]
            end(process, (signal.SIGINT, _STOP_SECONDS), (signal.SIGTERM, _STOP_SECONDS))


@asynccontextmanager
async def running_system(folder: Path, postgres: Mapping[str, str], **environment: str) -> AsyncIterator[System]:
    """Start it with its data in `folder`, PostgreSQL with these settings beside the usual; stop it at the end."""
    async with _up(folder, environment) as system:
        again = await _tune(system.config.database_url, {"track_commit_timestamp": "on", **postgres})
        if not again:
            yield system
    if again:
        async with _up(folder, environment) as system:
            yield system


@asynccontextmanager
async def _up(folder: Path, environment: dict[str, str]) -> AsyncIterator[System]:
    log, port = folder / "up.log", free_port()
    with _alone(folder, port):
        process = start("app.cli", "up", log=log, **environment)
        try:
            await _until_ready(process, port, log)
            join_running_up()
            settings.cache_clear()
            yield System(port, folder, Processes(process.pid), settings())
        finally:
            end(process, (signal.SIGINT, _STOP_SECONDS), (signal.SIGTERM, _STOP_SECONDS))


async def _tune(database_url: str, postgres: Mapping[str, str]) -> bool:
    """Have PostgreSQL take these settings at its next start; return whether it must be started anew for them."""
    connection = await asyncpg.connect(database_url)
    try:
        found = {name: await connection.fetchval(f"SHOW {name}") for name in postgres}
        for name, value in postgres.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    finally:
        await connection.close()
    return found != postgres


@contextmanager
def _alone(folder: Path, port: int) -> Iterator[None]:
    """Leave out servers that the environment names: a benchmark fills and empties only what is its own."""
    before = dict(os.environ)
    for name in ("DATABASE_URL", "READ_DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        os.environ.pop(name, None)
    os.environ |= {
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "LOG_LEVEL": "warning",
        **_UNLIMITED,
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


async def _until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(int(_START_SECONDS / _LOOK_SECONDS)):
        if process.poll() is not None:
            break
        if await asyncio.to_thread(is_ready, "127.0.0.1", port):
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise LineFailedError(f"The system did not become ready. Its last words:\n{last_words(log, 20)}")
