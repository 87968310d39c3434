"""A real worker in a process of its own, to be suspended, woken, ended and killed."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_PATIENCE_SECONDS = 30


@contextmanager
def worker_process(*, clock_ahead_seconds: int = 0, database_url: str | None = None) -> Iterator[psutil.Popen]:
    """Run `inkfold worker` on the servers under test until the block ends; it ends well or is killed."""
    clock = ("tests.support.wrong_clock", str(clock_ahead_seconds)) if clock_ahead_seconds else ("app.cli",)
    environment = os.environ | ({"DATABASE_URL": database_url} if database_url else {})
    process = psutil.Popen([sys.executable, "-m", *clock, "worker"], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.resume()
            process.terminate()
        code = process.wait(_PATIENCE_SECONDS)
    assert code in {0, -signal.SIGKILL}
