"""The worker processes under test, each started as `inkfold worker` and ended without mercy."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.embedded.process import last_words, spawn
from tests.soak.tally import Tally

MOST = 2


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    stopped: bool = False


class Workers:
    """At most two at a time. How many there are is up to the machine alone: one that ends by itself is replaced."""

    def __init__(self, environment: Mapping[str, str], *, log: Path, tally: Tally) -> None:
        self._environment = dict(os.environ) | dict(environment)
        self._log = log
        self._tally = tally
        self._workers: list[_Worker] = []

    @property
    def awake(self) -> int:
        """How many are there and not stopped."""
        return sum(not worker.stopped for worker in self._workers)

    def start(self) -> None:
        """Start one more, if there is room."""
        if len(self._workers) < MOST:
            self._workers.append(_Worker(self._spawn()))

    def kill(self) -> None:
        """End the oldest with kill -9, wherever it stands."""
        if self._workers:
            _end(self._workers.pop(0))

    def kill_all(self) -> None:
        """End all of them."""
        while self._workers:
            self.kill()

    def stop(self) -> None:
        """Let the oldest that is awake stand still, as a machine does that swaps or migrates."""
        for worker in self._workers:
            if not worker.stopped:
                worker.process.send_signal(signal.SIGSTOP)
                worker.stopped = True
                return

    def wake(self) -> None:
        """Let all that stand still go on."""
        for worker in self._workers:
            if worker.stopped:
                worker.process.send_signal(signal.SIGCONT)
                worker.stopped = False

    def replace_ended(self) -> None:
        """Start anew those that have ended by themselves, as a supervisor does."""
        for worker in self._workers:
            if worker.process.poll() is not None:
                self._tally.faults["worker ended by itself"] += 1
                self._tally.note(f"a worker ended by itself with {worker.process.returncode}")
                worker.process, worker.stopped = self._spawn(), False

    def last_words(self) -> str:
        """Return the end of what they have logged."""
        return last_words(self._log, 40)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return spawn(
            [sys.executable, "-m", "app.cli", "worker"],
            end_with=signal.SIGKILL,
            environment=self._environment,
            log=self._log,
        )


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.wait()
