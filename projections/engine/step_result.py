"""What a step is told about failures, and what it says that it did. Shared by the ways to take a step; no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from projections.engine.poison import PATIENCE
from projections.engine.snapshot import Snapshot


class StepFailedError(Exception):
    """A fold of one of `projections` failed; the cause says why."""

    def __init__(self, *projections: str) -> None:
        self.projections = projections
        super().__init__(f"A fold of {' or '.join(projections)} failed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnFailure:
    """What a step does about a projection whose fold fails.

    With `isolate`, each projection has a savepoint, and one that fails is reported and the others go on. With `park`,
    one that has failed `patience` times is folded around the events that it fails at.
    """

    isolate: bool = False
    park: bool = False
    patience: int = PATIENCE


RAISE = OnFailure()


@dataclass(slots=True, kw_only=True)
class StepResult:
    """What a step did: the snapshots now reflected, how many events of which type, and whether more wait.

    `apart` says that some projections have a backlog and others, that reflect the present, have none.
    """

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    parked: dict[str, list[int]] = field(default_factory=dict)
    more: bool = False
    apart: bool = False

    def note(self, names: Iterable[str], events: Mapping[str, int], snapshot: Snapshot) -> None:
        """Take in that these projections have moved over so many events of each type."""
        self.snapshots.update(dict.fromkeys(names, snapshot))
        for type_, number in events.items():
            self.events[type_] = max(number, self.events.get(type_, 0))

    def add(self, later: "StepResult") -> None:
        """Take in what a later transaction did; whether more waits is for that one to say."""
        self.snapshots |= later.snapshots
        for type_, number in later.events.items():
            self.events[type_] = max(number, self.events.get(type_, 0))
        self.failed |= later.failed
        self.parked |= later.parked
        self.more = later.more
