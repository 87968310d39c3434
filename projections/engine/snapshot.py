"""PostgreSQL's pg_snapshot as a value: which transactions are visible, and how a snapshot is cut at a transaction id.

The engine compares and cuts with it; the API decides with it whether a client's own write is reflected.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Transactions below `xmax` that are not in `in_progress` are visible; all below `xmin` are.

    The meaning is that of PostgreSQL's `pg_visible_in_snapshot` (documentation, section 9.27.9).
    """

    xmin: int
    xmax: int
    in_progress: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """Read PostgreSQL's text form `xmin:xmax:xip,xip,…`; raises ValueError when it is none."""
        parts = text.split(":")
        if len(parts) != 3:  # noqa: PLR2004 - the form has three parts
            raise ValueError(f"not a pg_snapshot: {text!r}")
        xmin, xmax, in_progress = parts
        return cls(int(xmin), int(xmax), frozenset(int(xid) for xid in in_progress.split(",") if xid))

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.in_progress)))}"

    def sees(self, xid: int) -> bool:
        """Say whether a committed transaction is visible."""
        return xid < self.xmax and xid not in self.in_progress

    def covers(self, other: "Snapshot") -> bool:
        """Say whether every transaction that `other` sees is seen here too."""
        running_beyond = sum(xid >= self.xmax for xid in other.in_progress)
        sees_beyond = other.xmax - self.xmax > running_beyond
        return not sees_beyond and not any(other.sees(xid) for xid in self.in_progress)

    def cut(self, xid: int) -> "Snapshot":
        """Return the snapshot that sees what this one sees of the transactions below `xid`."""
        return Snapshot(
            min(self.xmin, xid),
            min(self.xmax, xid),
            frozenset(running for running in self.in_progress if running < xid),
        )

    @property
    def age(self) -> tuple[int, int]:
        """A key that grows strictly along any chain of snapshots of one cluster, each covering the one before."""
        return (self.xmax, -len(self.in_progress))


def newest(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Return the newest of snapshots that stand in one chain."""
    return max(snapshots, key=lambda snapshot: snapshot.age)
