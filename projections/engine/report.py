"""How long work says how far it is. The rebuild and the verification tell; the CLI shows bars, the worker logs."""

from typing import Protocol


class Report(Protocol):
    """Someone who wants to know."""

    def begin(self, what: str, total: float | None, unit: str) -> None:
        """Begin a stage of `total` units; None where nobody knows."""
        ...

    def reach(self, done: float) -> None:
        """Say how many units of the stage are done."""
        ...

    def note(self, sentence: str) -> None:
        """Say something that does not count."""
        ...


class Quiet:
    """Nobody wants to know."""

    def begin(self, what: str, total: float | None, unit: str) -> None:
        """Say nothing."""

    def reach(self, done: float) -> None:
        """Say nothing."""

    def note(self, sentence: str) -> None:
        """Say nothing."""


QUIET: Report = Quiet()
