"""How a filling tells how far it is: to a terminal, or to nobody."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text


class Report(Protocol):
    """What a filling reports to: the phases it goes through, and rows done in the present one."""

    def begin(self, phase: str, rows: int | None) -> None:
        """Begin a phase of about so many rows; None if there is no telling."""
        ...

    def advance(self, rows: int) -> None:
        """Count rows that are done."""
        ...


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show rows per second."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Bars(AbstractContextManager["Bars"]):
    """A bar per phase, with its rate and the time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            MofNCompleteColumn(table_column=Column(no_wrap=True, justify="right")),
            _Rate(table_column=Column(no_wrap=True, justify="right")),
            TimeRemainingColumn(elapsed_when_finished=True, table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
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

    def begin(self, phase: str, rows: int | None) -> None:
        """Show the next bar."""
        self._finish()
        self._progress.add_task(phase, total=rows)

    def advance(self, rows: int) -> None:
        """Move the present bar."""
        self._progress.advance(self._progress.task_ids[-1], rows)

    def _finish(self) -> None:
        """Let the present bar be full: there were as many rows as there were."""
        for task in self._progress.tasks[-1:]:
            self._progress.update(task.id, total=task.completed)
