"""Ends a server that a killed `inkfold up` left running; the caller holds the folder's lock."""

import contextlib
import signal
from pathlib import Path

import psutil

from app.embedded.process import Pause, wait_until

_PATIENCE_SECONDS = 30


def end_leftover(pid_file: Path, works_in: Path, *, end_with: signal.Signals, pause: Pause) -> None:
    """End the process that the file names if it works in that folder; remove a file that names a stranger."""
    try:
        pid = int(pid_file.read_text("utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    for step in (end_with, signal.SIGKILL):
        if _works_in(pid, works_in):
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).send_signal(step)
            wait_until(lambda: not _works_in(pid, works_in), pause=pause, seconds=_PATIENCE_SECONDS)
    if psutil.pid_exists(pid):
        # PostgreSQL takes any living process of that number for itself and would not start. A file that names
        # a dead one stays: it says which shared memory the last children of that one may still hold.
        pid_file.unlink(missing_ok=True)


def _works_in(pid: int, folder: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == folder
    except psutil.Error:
        return False
