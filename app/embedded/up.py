"""`inkfold up`: all that Inkfold needs, started in order on this machine, and stopped in order again."""

import contextlib
import http.client
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

import app
from app.embedded.environment import given, secret_key, settings_for_up
from app.embedded.errors import Interrupted, StartError
from app.embedded.folder import make_folder
from app.embedded.port import check_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.process import finish, spawn, wait_until
from app.embedded.redis import EmbeddedRedis
from app.embedded.supervisor import Program, StopSignals, Supervisor
from app.reachability import UnreachableError, require_postgres, require_redis
from app.settings import Settings

_READY_SECONDS = 90.0
_LOOK_SECONDS = 0.1
_ASK_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The three commands that `up` runs beside the servers."""

    migrate: Sequence[str] = (sys.executable, "-P", "-m", "app.cli", "migrate")
    api: Sequence[str] = (sys.executable, "-P", "-m", "app.cli", "api")
    worker: Sequence[str] = (sys.executable, "-P", "-m", "app.cli", "worker")


class Up:
    """One run of `inkfold up`."""

    def __init__(self, settings: Settings, commands: Commands | None = None) -> None:
        self._settings = settings
        self._commands = commands or Commands()
        self._console = Console(highlight=False)
        self._supervisor = Supervisor(say=self._say)
        self._signals = StopSignals(hasten=self._supervisor.hasten)

    def run(self) -> int:
        """Start everything, keep it running until a signal, stop everything; return the exit code."""
        self._signals.install()
        try:
            self._start()
        except Interrupted:
            self._say("Stopping …")
            return 0
        except (StartError, UnreachableError) as error:
            self._say(f"Inkfold cannot start. {error}", style="red")
            return 1
        finally:
            self._signals.stopping()
            self._supervisor.stop()

    def _start(self) -> NoReturn:
        settings = self._settings
        check_port(settings.host, settings.port)
        check_given_servers()
        make_folder(settings.data_dir.absolute(), mode=0o755)  # the account of PostgreSQL passes through
        environment = self._environment()
        self._migrate(environment)
        api = Program("The API", self._commands.api, environment=environment)
        for worker in worker_names(settings.workers):
            self._supervisor.start(Program(worker, self._commands.worker, environment=environment))
        self._supervisor.start(api)
        self._await_ready(api)
        self._show_panel()
        while True:
            self._supervisor.look()
            self._signals.pause(_LOOK_SECONDS)

    def _environment(self) -> Mapping[str, str]:
        """Start the servers that are not given, and return the environment of our programs."""
        folder = self._settings.data_dir
        key = secret_key(folder)
        database_url, redis_url = given("DATABASE_URL"), given("REDIS_URL")
        if not database_url:
            postgres = EmbeddedPostgres(folder / "postgres", pause=self._signals.pause)
            self._supervisor.start(postgres)
            database_url = postgres.dsn()
        if not redis_url:
            redis = EmbeddedRedis(folder / "redis", pause=self._signals.pause)
            self._supervisor.start(redis)
            redis_url = redis.url
        return {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": key,
            "INKFOLD_UP": str(os.getpid()),
            "PYTHONPATH": str(Path(app.__path__[0]).parent),
        }

    def _migrate(self, environment: Mapping[str, str]) -> None:
        migration = spawn(self._commands.migrate, end_with=signal.SIGTERM, environment=environment)
        code = finish(migration, self._signals.pause)
        if code != 0:
            raise StartError(f"The migrations ended with exit code {code}; what they said stands above.")

    def _await_ready(self, api: Program) -> None:
        def ready_or_dead() -> bool:
            if not api.alive:
                raise StartError(f"The API {api.end_of_it} before it was ready; what it said stands above.")
            self._supervisor.look()
            return is_ready(self._settings.host, self._settings.port)

        if not wait_until(ready_or_dead, pause=self._signals.pause, seconds=_READY_SECONDS, every=_ASK_SECONDS):
            raise StartError(f"The API was not ready within {_READY_SECONDS:g} s; what it said stands above.")

    def _show_panel(self) -> None:
        settings = self._settings
        address = f"http://{_within_url(_own_address(settings.host))}:{settings.port}"
        lines = [f"Address        {address}"]
        if settings.docs_enabled:
            lines.append(f"Documentation  {address}/docs (or /redoc)")
        lines += [f"Data           {settings.data_dir.resolve()}", "Stop           Ctrl-C"]
        self._say(Panel(Text("\n".join(lines)), title="Inkfold is ready", expand=False))

    def _say(self, message: str | Panel, style: str | None = None) -> None:
        with contextlib.suppress(OSError, SystemExit):  # the terminal is gone; stopping in order is what counts
            self._console.print(message, style=style, markup=False, soft_wrap=isinstance(message, str))


def worker_names(number: int) -> list[str]:
    """Return how messages call so many workers."""
    return ["The worker"] if number == 1 else [f"Worker {which}" for which in range(1, number + 1)]


def check_given_servers() -> None:
    """Raise UnreachableError when a server of the environment can't be used."""
    if database_url := given("DATABASE_URL"):
        require_postgres(database_url)
    if redis_url := given("REDIS_URL"):
        require_redis(redis_url)


def is_ready(host: str, port: int) -> bool:
    """Return whether the API says that it is ready."""
    connection = http.client.HTTPConnection(_own_address(host), port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _own_address(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def _within_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def up() -> int:
    """Run Inkfold on this machine until Ctrl-C; return the exit code."""
    return Up(settings_for_up()).run()
