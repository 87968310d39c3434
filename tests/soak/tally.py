"""What the machine has done and met, counted over all runs; and the journal of the present run, for whoever debugs."""

from collections import Counter, deque
from dataclasses import dataclass, field
from time import monotonic

from rich.box import SIMPLE_HEAD
from rich.table import Table

_LAST_LINES = 60


class Difference(AssertionError):
    """What the system answers is not what the oracle says."""


@dataclass(slots=True)
class Tally:
    """Counts by name. `longest_unrest_seconds` is the longest wait until everything had been folded and announced."""

    runs: int = 0
    steps: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    unavailable: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    quiet_moments: int = 0
    rebuilds: Counter[str] = field(default_factory=Counter)
    verifies: int = 0
    mended: int = 0
    differences: int = 0
    longest_unrest_seconds: float = 0.0
    failure: str = ""
    journal: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    _began: float = field(default_factory=monotonic)

    def note(self, line: str) -> None:
        """Write a line into the journal of the run."""
        self.journal.append(f"{monotonic() - self._began:8.2f} s  {line}")

    def fault(self, kind: str) -> None:
        """Count a fault that is injected now."""
        self.faults[kind] += 1
        self.note(f"fault: {kind}")

    def fail(self, difference: Difference, last_words: str) -> None:
        """Count a difference; keep the first with all that is known of it."""
        self.differences += 1
        lines = ["", "What happened before:", *self.journal, "", "The workers' last words:", last_words]
        self.failure = self.failure or "\n".join([str(difference), *lines])

    def line(self) -> str:
        """Return where things stand, in one line."""
        return (
            f"{self.runs} runs, {self.steps} steps, {self.commands.total()} commands, {self.faults.total()} faults, "
            f"{self.reads} reads, {self.verifies} verifies, {self.differences} differences"
        )

    def table(self) -> Table:
        """Return everything, for the end."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=False)
        table.add_column("what")
        table.add_column("how many", justify="right")
        table.add_row("runs", str(self.runs))
        table.add_row("steps", str(self.steps))
        for title, counts in (("commands", self.commands), ("faults", self.faults), ("rebuilds", self.rebuilds)):
            table.add_section()
            table.add_row(title, str(counts.total()))
            for name, count in sorted(counts.items()):
                table.add_row(f"  {name}", str(count))
        table.add_section()
        table.add_row("answers 503 in trouble", str(self.unavailable.total()))
        for name, count in sorted(self.unavailable.items()):
            table.add_row(f"  {name}", str(count))
        table.add_section()
        table.add_row("reads compared with the oracle", str(self.reads))
        table.add_row("quiet moments", str(self.quiet_moments))
        table.add_row("longest wait for one, seconds", f"{self.longest_unrest_seconds:.1f}")
        table.add_row("verifies", str(self.verifies))
        table.add_row("rows spoilt by hand, found and mended", str(self.mended))
        table.add_row("differences", str(self.differences))
        return table
