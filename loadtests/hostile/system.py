"""A whole system to attack, in a temporary folder: an `inkfold up`, on servers that this process may stop and freeze.

Every program of this folder runs on one of its own, without rate limits: what it shows is what stands behind them.
"""

import contextlib
import resource
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil
from pydantic import SecretStr

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.process import end, last_words, wait_until
from app.embedded.redis import EmbeddedRedis
from app.embedded.up import is_ready
from app.settings import Settings
from loadtests.bench.program import free_port, start

HOST: Final = "127.0.0.1"

_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.1
_USUAL: Final = {
    "HOST": HOST,
    "API_WORKERS": "1",
    "WORKERS": "1",
    "READ_DATABASE_URL": "",
    "LOG_LEVEL": "warning",
    "ACCESS_TOKEN_SECONDS": "86400",
    "RATE_LIMIT_LOGIN": "",
    "RATE_LIMIT_REGISTER": "",
    "RATE_LIMIT_WRITES": "",
    "RATE_LIMIT_READS": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of a process, in bytes: now, and at most since its peak was last forgotten."""

    now: int
    peak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """A system that answers at `port` of 127.0.0.1."""

    port: int
    config: Settings
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    up: subprocess.Popen[bytes]
    #: A program's parent is the thread that started it, so whoever restarts a server does so in this one.
    keeper: ThreadPoolExecutor

    @property
    def api(self) -> psutil.Process:
        """The process of the API that runs now."""
        for child in psutil.Process(self.up.pid).children():
            with contextlib.suppress(psutil.Error):
                if child.cmdline()[-1:] == ["api"]:
                    return child
        raise RuntimeError("No API runs: the end of the log says why.")

    def forget_peak(self) -> None:
        """Let the peak of the API's memory be what it has now (proc(5), clear_refs); where it can't, it stays."""
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.api.pid}/clear_refs").write_text("5", "ascii")

    def memory(self) -> Memory:
        """Return the memory of the API's process."""
        api = self.api
        try:
            lines = Path(f"/proc/{api.pid}/status").read_text("ascii", "replace").splitlines()
        except OSError:  # no Linux
            now = int(api.memory_info().rss)
            return Memory(now=now, peak=now)
        sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
        return Memory(now=sizes["VmRSS:"], peak=sizes["VmHWM:"])


@contextmanager
def attacked(*, log: Path, open_files: int | None = None, **environment: str) -> Iterator[Attacked]:
    """Start it, with these settings beside the usual ones; stop and remove it at the end, but for its log.

    Its programs may have `open_files` files open at once, if that is given; else as many as this process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="inkfold-hostile-") as name,
        ThreadPoolExecutor(1, thread_name_prefix="keeper") as keeper,
        EmbeddedPostgres(Path(name) / "postgres") as postgres,
        EmbeddedRedis(Path(name) / "redis") as redis,
    ):
        config = Settings(
            database_url=postgres.dsn(),
            redis_url=redis.url,
            secret_key=SecretStr(secrets.token_urlsafe(48)),
            data_dir=Path(name) / "data",
            port=free_port(),
        )
        with _open_files(open_files):
            up = start("app.cli", "up", log=log, **_USUAL, **_environment(config), **environment)
        try:
            _require_ready(up, config.port, log)
            yield Attacked(port=config.port, config=config, postgres=postgres, redis=redis, up=up, keeper=keeper)
        finally:
            end(up, (signal.SIGINT, _STOP_SECONDS), (signal.SIGTERM, _STOP_SECONDS))


def raise_open_files(files: int) -> None:
    """Let this process have at least so many files open; raises RuntimeError where that is not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= files:
        return
    if hard != resource.RLIM_INFINITY and hard < files:
        raise RuntimeError(f"This needs {files} open files, and `ulimit -Hn` says {hard}: raise it, or use fewer.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def _environment(config: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": config.database_url,
        "REDIS_URL": config.redis_url,
        "SECRET_KEY": config.secret_key.get_secret_value(),
        "DATA_DIR": str(config.data_dir),
        "PORT": str(config.port),
    }


@contextmanager
def _open_files(limit: int | None) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _require_ready(up: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ready = partial(is_ready, HOST, port)
    wait_until(lambda: ready() or up.poll() is not None, pause=time.sleep, seconds=_START_SECONDS, every=_LOOK_SECONDS)
    if up.poll() is not None or not ready():
        raise RuntimeError(f"The system did not become ready. Its last words:\n{last_words(log, 20)}")
