"""How a command shows how far it is: bars where standard error is a terminal, else a log line every ten seconds."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from app.progress_bars import Bars
from projections.engine.report import Report
from projections.progress_log import ProgressLog


@contextmanager
def progress() -> Iterator[Report]:
    """Yield what long work reports to; standard output gets nothing of it."""
    console = Console(stderr=True)
    if console.is_terminal:
        with Bars(console) as bars:
            yield bars
    else:
        with _lines() as log:
            yield ProgressLog(log)


@contextmanager
def _lines() -> Iterator[logging.Logger]:
    """Yield a log whose lines go to standard error as they are."""
    log, handler = logging.getLogger(__name__), logging.StreamHandler(sys.stderr)
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield log
    finally:
        log.removeHandler(handler)
