"""Python programs that the benchmark runs beside the system: they end with it, whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, socket
from typing import Final

import app
from app.embedded.process import end, spawn
from loadtests.bench.figures import LineFailedError

ROOT: Final = Path(app.__path__[0]).parent

_START_SECONDS: Final = 30
_STOP_SECONDS: Final = 15
_LOOK_SECONDS: Final = 0.02


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has now."""
    with socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def start(*command: str, log: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
    """Start a module of ours, with its arguments, as `python -m` does."""
    return spawn(
        (sys.executable, "-P", "-m", *command),
        end_with=signal.SIGTERM,
        environment={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        log=log,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it as a terminal would."""
    end(process, (signal.SIGTERM, _STOP_SECONDS))


@dataclass(frozen=True, slots=True)
class Server:
    """A program that listens on a port of 127.0.0.1."""

    port: int
    pid: int


@asynccontextmanager
async def program(module: str, *arguments: str) -> AsyncIterator[Server]:
    """Run a server whose first argument is a port, until the block ends; yields it when it listens."""
    port = free_port()
    process = start(module, str(port), *arguments)
    try:
        await until_listening(process, port)
        yield Server(port, process.pid)
    finally:
        stop(process)


async def until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until somebody listens; raises LineFailedError when the process has ended or takes too long."""
    for _ in range(int(_START_SECONDS / _LOOK_SECONDS)):
        if process.poll() is not None:
            break
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return
    raise LineFailedError(f"Nothing listens on port {port}; the program's exit code is {process.poll()}.")
