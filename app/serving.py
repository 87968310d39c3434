"""Serving the API: one process, or several that share a port and are started again when they end.

`inkfold api` calls it. Each process listens by itself (SO_REUSEPORT), and the kernel shares out the connections.
"""

import contextlib
import gc
import os
import resource
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvicorn
from prometheus_client.multiprocess import mark_process_dead

import app
from app.embedded.errors import Interrupted
from app.embedded.supervisor import Program, StopSignals, Supervisor
from app.http_protocol import BoundedHttp
from app.settings import Settings

_LOOK_SECONDS: Final = 0.1
#: What a process has open beside connections of clients.
_OTHER_FILES: Final = 256
#: The exit code of uvicorn where it could not start.
_NOT_STARTED: Final = 3
_COMMAND: Final = (sys.executable, "-P", "-m", "app.cli", "api", "--shared")


def serve(config: Settings, *, shared: bool) -> None:
    """Serve until a signal; with `shared`, on a port that other processes of ours listen on, too."""
    _allow_connections(config.connection_limit)
    server = _Server(
        uvicorn.Config(
            "app.main:create_app",
            factory=True,
            host=config.host,
            port=config.port,
            loop="uvloop",
            http=_bounded(config.request_timeout_seconds),
            lifespan="on",
            access_log=False,
            log_level=config.log_level,
            log_config=None,  # what it says goes where all else goes, see app.logs
            timeout_graceful_shutdown=10,
            server_header=False,
            forwarded_allow_ips=config.trusted_proxies,
            limit_concurrency=config.connection_limit,
            timeout_keep_alive=config.keep_alive_seconds,
            ws="none",
        )
    )
    try:
        server.run(sockets=[_shared_socket(config.host, config.port)] if shared else None)
    except KeyboardInterrupt:  # uvicorn has stopped in order and passes the signal on
        return
    if not server.started:
        sys.exit(_NOT_STARTED)


class _Server(uvicorn.Server):
    """Leaves what was made at the start, and lives as long as the process, out of every later collection of garbage.

    To look through all of it takes tens of milliseconds, in which nobody is answered.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()


def _bounded(request_seconds: float) -> type[BoundedHttp]:
    """Return the protocol with this bound; uvicorn makes one of it for each connection."""
    return type("BoundedHttp", (BoundedHttp,), {"request_seconds": request_seconds})


def _allow_connections(limit: int) -> None:
    """Have the system let this process open so many at once, as far as it may: often 1,024 files are the usual."""
    needed = limit + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS says that there is no limit, and has one
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _shared_socket(host: str, port: int) -> socket.socket:
    """Bind, and leave it to uvicorn to listen: only who listens gets connections."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    if family == socket.AF_INET6:  # as uvicorn does: a proxy's IPv4 address in the form of IPv6 is not trusted
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


class ApiProcesses:
    """Runs `config.api_workers` processes of the API, which count their requests in one folder."""

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._supervisor = Supervisor(say=_say)
        self._signals = StopSignals(hasten=self._supervisor.hasten)
        self._programs: list[Program] = []

    def run(self) -> int:
        """Keep them running until a signal, stop them all; return the exit code."""
        self._signals.install()
        with TemporaryDirectory(prefix="inkfold-metrics-") as folder:
            try:
                self._start(folder)
                return self._watch(_Counted(folder))
            except Interrupted:
                return 0
            finally:
                self._signals.stopping()
                for program in self._programs:
                    program.ask_to_stop()
                self._supervisor.stop()

    def _start(self, folder: str) -> None:
        environment = {
            **os.environ,
            "PROMETHEUS_MULTIPROC_DIR": folder,
            "INKFOLD_UP": str(os.getpid()),
            "PYTHONPATH": str(Path(app.__path__[0]).parent),
        }
        for number in range(1, self._config.api_workers + 1):
            program = Program(f"API process {number}", _COMMAND, environment=environment)
            self._programs.append(program)
            self._supervisor.start(program)

    def _watch(self, counted: "_Counted") -> int:
        """Look after them until a signal; return their exit code if one ends before any has answered."""
        answered = False
        while True:
            self._signals.pause(_LOOK_SECONDS)
            answered = answered or _answers(self._config.host, self._config.port)
            if not answered and not all(program.alive for program in self._programs):
                return _NOT_STARTED
            self._supervisor.look()
            counted.only({program.pid for program in self._programs if program.alive})


class _Counted:
    """The processes that count what they are doing now; what ended ones were doing no longer counts."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._alive: set[int] = set()

    def only(self, alive: set[int]) -> None:
        for ended in self._alive - alive:
            mark_process_dead(ended, self._folder)  # type: ignore[no-untyped-call]
        self._alive = alive


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")
