"""PostgreSQL, Redis and workers of a measurement's own, in a temporary folder: nothing of them is left behind.

For what must start, stop or kill a worker, or needs a setting of PostgreSQL; the others join a running `inkfold up`.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import app
from app.doorbell import Doorbell
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.process import end, last_words, spawn
from app.embedded.redis import EmbeddedRedis
from app.migrate import migrate
from app.redis_client import open_redis
from app.settings import Settings, settings
from projections.engine.checkpoint import Connection
from projections.registry import PROJECTIONS

_STOP_SECONDS: Final = 15
_LOOK_SECONDS: Final = 0.05
#: Only empty tables, or small ones, are waited for.
_BUILD_SECONDS: Final = 120
_WORKER: Final = (sys.executable, "-P", "-m", "app.cli", "worker")

_BUILT: Final = "SELECT count(*) FROM checkpoint WHERE projection = ANY ($1::text[])"


@dataclass(frozen=True, slots=True)
class OwnSystem:
    """Migrated, empty servers. Their settings are those of this process."""

    config: Settings
    folder: Path

    def worker(self) -> "Worker":
        """Start an `inkfold worker`, a process of its own."""
        return Worker(self.folder / "worker.log")


class Worker:
    """A worker process; a context manager that stops it at the end."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] = spawn(
            _WORKER,
            end_with=signal.SIGKILL,
            environment={**os.environ, "PYTHONPATH": str(Path(app.__path__[0]).parent)},
            log=log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def peak_bytes(self) -> int:
        """The most memory it has had at once, as Linux counts it (proc(5), VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii", "replace")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    @property
    def said(self) -> str:
        """The end of what workers have logged."""
        return last_words(self._log)

    def require_alive(self) -> None:
        """Raise RuntimeError, with its last words, when it has ended by itself."""
        if self._process.poll() is not None:
            raise RuntimeError(f"The worker ended with {self._process.returncode}. It said:\n{self.said}")

    def freeze(self) -> None:
        """Let it do nothing, and not know it."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as if its machine had lost power."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as `inkfold up` does."""
        end(self._process, (signal.SIGTERM, _STOP_SECONDS))


@contextmanager
def own_system(**postgres: str) -> Iterator[OwnSystem]:
    """Start and migrate servers, PostgreSQL with these settings beside the usual; stop and remove them at the end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with TemporaryDirectory(prefix="inkfold-engine-") as name:
        folder = Path(name)
        with (
            EmbeddedPostgres(folder / "postgres", settings=postgres) as server,
            EmbeddedRedis(folder / "redis") as redis,
        ):
            os.environ["DATABASE_URL"] = server.dsn()
            os.environ["REDIS_URL"] = redis.url
            os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)
            settings.cache_clear()
            asyncio.run(migrate(settings().database_url))
            yield OwnSystem(settings(), folder)


@asynccontextmanager
async def ringable(config: Settings) -> AsyncIterator[Doorbell]:
    """Yield the worker's doorbell until the block ends."""
    redis = open_redis(config.redis_url)
    doorbell = Doorbell(redis)
    ringing = asyncio.create_task(doorbell.ringing())
    try:
        yield doorbell
    finally:
        ringing.cancel()
        await asyncio.gather(ringing, return_exceptions=True)
        await redis.aclose()


async def until_built(connection: Connection, worker: Worker) -> None:
    """Wait until the worker has built every projection."""
    names = [projection.name for projection in PROJECTIONS]
    deadline = time.monotonic() + _BUILD_SECONDS
    while await connection.fetchval(_BUILT, names) < len(names):
        worker.require_alive()
        if time.monotonic() > deadline:
            raise RuntimeError(f"The worker has not built the projections. It said:\n{worker.said}")
        await asyncio.sleep(_LOOK_SECONDS)


async def until_folded(connection: Connection, worker: Worker) -> None:
    """Wait until the projections reflect everything committed."""
    while await connection.fetchval("SELECT bool_or(behind) FROM read_lag"):
        worker.require_alive()
        await asyncio.sleep(_LOOK_SECONDS)
