"""Starts the programs that `inkfold up` looks after, and ends them; on Linux each ends when its parent dies.

Each gets a session of its own: a terminal's Ctrl-C reaches `inkfold up` alone, which stops them in order.
Start them from a thread that lives on: to the kernel, a program's parent is the thread that started it.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from app.embedded.account import LAUNCHER, Account
from app.embedded.errors import StartError

#: Waits for so many seconds; raises Interrupted to give up what is being waited for.
Pause = Callable[[float], None]

_LOOK_SECONDS = 0.02
_LOG_LIMIT_BYTES = 5_000_000


def spawn(
    command: Sequence[str],
    *,
    end_with: signal.Signals,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that gets the signal `end_with` when we die; its output goes to `log`, else to ours."""
    wishes = [*(account.arguments if account else ()), "--end-with", str(os.getpid()), str(int(end_with))]
    with _opened(log) as output:
        return subprocess.Popen(  # noqa: S603  # only called with our own commands
            [*LAUNCHER, *wishes, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Send each step's signal and wait its seconds, until the program has ended; at last it is killed."""
    for step, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(step)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
        process.wait()


def finish(process: subprocess.Popen[bytes], pause: Pause) -> int:
    """Wait for a program and return its exit code; end it if the waiting is given up."""
    try:
        wait_until(lambda: process.poll() is not None, pause=pause)
    finally:
        end(process, (signal.SIGTERM, 5))
    return process.returncode


def wait_until(
    condition: Callable[[], bool], *, pause: Pause, seconds: float = float("inf"), every: float = _LOOK_SECONDS
) -> bool:
    """Look again and again until the condition holds or the seconds are over; return whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause(every)
    return True


def last_words(log: Path, lines: int = 5) -> str:
    """Return the end of a log, to be shown in an error."""
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return "(nothing)"


def did_not_start(name: str, log: Path) -> StartError:
    """Return what to say of a server that ended before it answered."""
    return StartError(f"{name} did not start. Its last words (the whole log is {log}):\n{last_words(log)}")


def _opened(log: Path | None) -> contextlib.AbstractContextManager[IO[bytes] | None]:
    if log is None:
        return contextlib.nullcontext()
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))
    return log.open("ab")
