"""Locust beside a measurement, on the running system; afterwards, what its requests were like between two moments."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from app.embedded.process import end, last_words, spawn
from app.settings import settings

_FILE: Final = Path(__file__).with_name("recorded_load.py")
_ROOT: Final = _FILE.parents[2]
_LOOK_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 30
#: Until the last of them have signed in.
_SETTLE_SECONDS: Final = 5
_SPAWN_RATE: Final = 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request of someone: when it was sent and answered, by the machine's monotonic clock, and what failed."""

    sent: float
    answered: float
    name: str
    failure: str


@dataclass(slots=True)
class Load:
    """The requests, readable when the block of `load` has ended."""

    requests: list[Request] = field(default_factory=list)

    def during(self, began: float, ended: float) -> str:
        """Say what the requests were like that overlap with the time between two moments."""
        chosen = [request for request in self.requests if request.answered >= began and request.sent <= ended]
        if not chosen:
            return "no requests"
        longest = max(chosen, key=lambda request: request.answered - request.sent)
        seconds = sorted(request.answered - request.sent for request in chosen)
        p99 = seconds[int(len(seconds) * 0.99)]
        failed = [request for request in chosen if request.failure]
        said = f"{len(chosen):,} requests, {len(failed)} failed, p99 {p99 * 1000:.0f} ms, "
        lines = [f"{said}longest {seconds[-1] * 1000:.0f} ms ({longest.name})"]
        lines += [f"failed: {request.name}: {request.failure[:200]}" for request in failed[:10]]
        return "\n    ".join(lines)


@asynccontextmanager
async def load(users: int) -> AsyncIterator[Load]:
    """Let `users` people use the system that runs on this machine until the block ends; begins when all are there."""
    done = Load()
    with TemporaryDirectory(prefix="inkfold-load-") as name:
        record, log = Path(name) / "requests.tsv", Path(name) / "locust.log"
        host = f"http://127.0.0.1:{settings().port}"
        numbers = ("--users", str(users), "--spawn-rate", str(_SPAWN_RATE))
        process = spawn(
            (
                sys.executable,
                "-m",
                "locust",
                "-f",
                str(_FILE),
                "--headless",
                "--only-summary",
                "--host",
                host,
                *numbers,
            ),
            end_with=signal.SIGTERM,
            environment={**os.environ, "INKFOLD_LOAD_RECORD": str(record), "PYTHONPATH": str(_ROOT)},
            log=log,
        )
        try:
            while not (record.exists() and "there\n" in record.read_text("utf-8")):
                if process.poll() is not None:
                    raise RuntimeError(f"Locust ended. It said:\n{last_words(log, 20)}")
                await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_SETTLE_SECONDS)
            yield done
            if process.poll() is not None:
                raise RuntimeError(f"Locust ended early. It said:\n{last_words(log, 20)}")
        finally:
            end(process, (signal.SIGTERM, _STOP_SECONDS))
        done.requests += [_request(line) for line in record.read_text("utf-8").splitlines() if line != "there"]


def now() -> float:
    """Return the present moment, as `Load.during` takes it."""
    return time.monotonic()


def _request(line: str) -> Request:
    answered, milliseconds, name, failure = line.split("\t")
    return Request(float(answered) - float(milliseconds) / 1000, float(answered), name, failure)
