"""The way through all tables to be compared, as one stage: each counts as much as it takes on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from projections.engine.report import Report


@dataclass(slots=True)
class Course:
    """What `verify` reports to. `sizes` has the bytes of each projection's tables, all in the order of the way."""

    report: Report
    sizes: Mapping[str, Sequence[int]]
    _left: list[str] = field(init=False)
    _done: int = field(default=0, init=False)
    _before: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._left = list(self.sizes)

    def begin_stage(self) -> None:
        """Begin, or go on after something else was reported."""
        self._before = self._done
        tables = sum(len(self.sizes[name]) for name in self._left)
        self.report.begin(f"Comparing {tables} tables", sum(sum(self.sizes[name]) for name in self._left), "bytes")

    def leave(self) -> None:
        """Pass on to the next projection, whether all of this one could be compared or not."""
        self._done += sum(self.sizes[self._left.pop(0)])
        self.report.reach(self._done - self._before)

    def begin(self, what: str, total: float | None, unit: str) -> None:
        """Begin a projection, which is no stage of its own here."""

    def reach(self, done: float) -> None:
        """Say how many tables of the present projection are done."""
        self.report.reach(self._done - self._before + sum(self.sizes[self._left[0]][: int(done)]))

    def note(self, sentence: str) -> None:
        """Pass it on."""
        self.report.note(sentence)
