"""Progress of long work as bars on a terminal. `inkfold demo` and `inkfold projections` show them."""

import sys
from contextlib import AbstractContextManager
from datetime import timedelta
from math import ceil
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text


def _amount(number: float, unit: str) -> str:
    return decimal(round(number)) if unit == "bytes" else f"{number:,.0f}"


class _Done(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show how much is done, and of how much where that is known."""
        done = _amount(task.completed, task.fields["unit"])
        of = "" if not task.total else f" of {_amount(task.total, task.fields['unit'])}"
        return Text(done + of, style="progress.download")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show how much was done per second, since the stage began."""
        rate = _rate(task)
        return Text(f"{_amount(rate, task.fields['unit'])}/s" if rate else "", style="progress.data.speed")


class _Left(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Show how long it takes from here on; afterwards, how long it took."""
        rate = _rate(task)
        if task.finished:
            return Text(_clock(task.finished_time or 0), style="progress.elapsed")
        if task.total is None or not rate:
            return Text("-:--:--", style="progress.remaining")
        return Text(_clock((task.total - task.completed) / rate), style="progress.remaining")


def _rate(task: Task) -> float:
    # rich's own leaves out the first advance, which may be half of all where a stage has few.
    seconds = task.finished_time if task.finished else task.elapsed
    return task.completed / seconds if seconds else 0


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=ceil(seconds)))


class Bars(AbstractContextManager["Bars"]):
    """A bar per stage, with its rate and the time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            _Done(table_column=Column(no_wrap=True, justify="right")),
            _Rate(table_column=Column(no_wrap=True, justify="right")),
            _Left(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
            # What goes to a file stays there; what goes to the terminal is put above the bars.
            redirect_stdout=not console.stderr or sys.stdout.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._progress.stop()

    def begin(self, what: str, total: float | None, unit: str = "rows") -> None:
        """Show the next bar, for a stage of about `total` units; None if there is no telling."""
        self._finish()
        self._progress.add_task(what, total=total, unit=unit)

    def advance(self, units: float) -> None:
        """Count units that are done."""
        self._progress.advance(self._progress.task_ids[-1], units)

    def reach(self, done: float) -> None:
        """Say how many units are done; a stage that turns out larger grows."""
        task = self._progress.tasks[-1]
        total = None if task.total is None else max(task.total, done)
        self._progress.update(task.id, completed=done, total=total)

    def note(self, sentence: str) -> None:
        """Say something above the bars."""
        self._progress.console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def _finish(self) -> None:
        """Let the present bar be full: there was as much as there was."""
        for task in self._progress.tasks[-1:]:
            self._progress.update(task.id, total=task.completed)
