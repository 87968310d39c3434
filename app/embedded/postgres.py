"""A real PostgreSQL 18 on a unix socket only; used by `inkfold up` and by the tests."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from app.embedded.account import Account, choose_account, give
from app.embedded.cluster import make_cluster, programs, run_client, server_environment
from app.embedded.folder import ServerFolder, postgres_url
from app.embedded.leftover import end_leftover
from app.embedded.process import Pause, did_not_start, end, last_words, spawn, wait_until

# What initdb writes into postgresql.conf is not among them: ALTER SYSTEM may change it, as anywhere.
_SETTINGS: Mapping[str, str] = {
    "cluster_name": "inkfold",
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "wal_compression": "on",
    "max_prepared_transactions": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_SIGNALS: Mapping[str, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_STILL_ENDING = "is still in use"  # its words while children of a killed one hold the shared memory
_STILL_ENDING_TRIES = 20
_STATUS_LINE = 7  # of postmaster.pid


class EmbeddedPostgres:
    """A PostgreSQL server in a folder of its own: a context manager, to be started and stopped at will."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None, pause: Pause = time.sleep) -> None:
        self.folder = ServerFolder(folder)
        own = {"unix_socket_directories": str(self.folder.sockets)}
        self._settings = {**_SETTINGS, **(settings or {}), **own}
        self._pid_file = self.folder.data / "postmaster.pid"
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
    def pid(self) -> int:
        """The number of the server's first process; 0 if it has not been started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the server's first process runs."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, database: str = "inkfold") -> str:
        """Return the URL of a database of this server, for asyncpg and psql alike."""
        return postgres_url(self.folder.sockets, database)

    def start(self) -> None:
        """Start the server and wait until it answers; makes its data on first use. Raises StartError."""
        program = programs() / "postgres"
        self.folder.lock()
        try:
            account = choose_account(self.folder.path, program, root_allowed=False)
            give(self.folder.path, account)
            give(self.folder.sockets, account)
            make_cluster(self.folder.data, account, log=self.folder.log, pause=self._pause)
            end_leftover(self._pid_file, self.folder.data, end_with=signal.SIGINT, pause=self._pause)
            self._start_server(program, account)
            if "inkfold" not in self._databases():
                self.create_database("inkfold")
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server; "immediate" as if the machine had lost power."""
        if self._process is not None:
            end(self._process, (_SIGNALS[mode], 30), (signal.SIGQUIT, 10))
            self._process = None
        self.folder.unlock()

    def hasten(self) -> None:
        """Make a stop that is under way immediate."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGQUIT)

    def restart(self, *, immediate: bool = False) -> None:
        """Stop and start again."""
        self.stop("immediate" if immediate else "fast")
        self.start()

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create a database; raises StartError with PostgreSQL's words if it cannot."""
        run_client("createdb", f"--template={template}", "--", name, sockets=self.folder.sockets)

    def drop_database(self, name: str) -> None:
        """Drop a database, if it is there, and cut the connections to it."""
        run_client("dropdb", "--force", "--if-exists", "--", name, sockets=self.folder.sockets)

    def _databases(self) -> list[str]:
        query = ("--no-psqlrc", "-Atc", "SELECT datname FROM pg_database", "postgres")
        return run_client("psql", *query, sockets=self.folder.sockets).splitlines()

    def _start_server(self, program: Path, account: Account) -> None:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        for _ in range(_STILL_ENDING_TRIES):
            self._process = spawn(
                [str(program), "-D", str(self.folder.data), *options],
                end_with=signal.SIGINT,
                account=account,
                environment=server_environment(),
                log=self.folder.log,
            )
            wait_until(lambda: self._ready() or not self.alive, pause=self._pause)
            if self.alive:
                return
            if _STILL_ENDING not in last_words(self.folder.log):
                break
            self._pause(0.5)
        raise did_not_start(self.name, self.folder.log)

    def _ready(self) -> bool:
        try:
            lines = self._pid_file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and "ready" in (line.strip() for line in lines[_STATUS_LINE:])
