"""What an answer must reflect, as a value to compare the snapshots with that projections have reached.

app.freshness makes it; it and app.replicas wait for it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from projections.engine.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The projections that are read, the transactions that each must see, and the least snapshot of each."""

    projections: tuple[str, ...]
    tokens: tuple[int, ...] = ()
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)

    def met(self, reached: Mapping[str, Snapshot]) -> bool:
        """Say whether projections that have reached these snapshots meet it; one that is not among them does not."""
        return all(name in reached and self._enough(name, reached[name]) for name in self.projections)

    def without(self, caught_up: Collection[str]) -> "Demand":
        """Return the same without projections that turned out to lack nothing of all that is demanded."""
        return replace(self, projections=tuple(name for name in self.projections if name not in caught_up))

    def _enough(self, name: str, snapshot: Snapshot) -> bool:
        least = self.snapshots.get(name)
        return all(map(snapshot.sees, self.tokens)) and (least is None or snapshot.covers(least))
