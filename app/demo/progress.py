"""How a filling tells how far it is."""

from typing import Protocol


class Report(Protocol):
    """What a filling reports to: the phases it goes through, and rows done in the present one."""

    def begin(self, phase: str, rows: int | None, /) -> None:
        """Begin a phase of about so many rows; None if there is no telling."""
        ...

    def advance(self, rows: int, /) -> None:
        """Count rows that are done."""
        ...
