"""The whole system as a user starts it: `inkfold up`, in processes of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from socket import socket
from time import monotonic, sleep

import httpx

START_SECONDS = 120


@dataclass(frozen=True)
class RunningSystem:
    """A system that answers at `url`; programs that join it run in `environment`."""

    url: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def run(self, *program: str) -> subprocess.CompletedProcess[str]:
        """Run a program beside the system and return what it printed."""
        return subprocess.run(program, env=self.environment, capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def running_system(
    data_dir: Path, *, within: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Iterator[RunningSystem]:
    """Start everything on a free port with its data in `data_dir`; stop it as Ctrl-C does.

    `within` is a command that becomes the one that follows it; `settings` are further settings.
    """
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.endswith("_URL") and name != "SECRET_KEY"},
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "LOG_LEVEL": "warning",
        **(settings or {}),
    }
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([*within, sys.executable, "-m", "app.cli", "up"], env=environment)
    try:
        wait_until_ready(url, process)
        yield RunningSystem(url, environment, process)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready").status_code == HTTPStatus.OK:
                return
        except httpx.TransportError:
            pass
        sleep(0.1)
    raise AssertionError(f"Not ready; exit code {process.poll()}.")


def free_port() -> int:
    with socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port
