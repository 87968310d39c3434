"""Pace: how many events a step takes so that it lasts about as long as it may. The runner and the rebuild keep one."""

from dataclasses import dataclass, field
from typing import Final

#: Below this many events a step's fixed costs are most of it.
LEAST: Final = 500
#: What events cost is not known before the first step.
_FIRST: Final = 5_000
#: A step at most doubles, and at most halves, what the one before it took.
_CHANGE: Final = 2.0
#: Whoever has waited for a backlog hardly minds a step that lasts this share of the time so far, and it gets on
#: faster: each row is changed once in a step, however many events it has there.
_SHARE: Final = 0.5
#: So many times as long as usual may a step of a long backlog last, at most.
_LONGEST: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Pace:
    """At most `most` events in a step, fewer where they took longer than `seconds`, or than a share of the backlog."""

    most: int
    seconds: float
    limit: int = field(init=False)
    _spent: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.limit = min(self.most, max(LEAST, min(self.most // 4, _FIRST)))

    def learn(self, elapsed: float, *, awaited: bool = True) -> None:
        """Take note that a full step lasted so many seconds, and whether those wait for the next that have no backlog.

        If nobody does, steps may last ever longer.
        """
        self._spent = 0.0 if awaited else self._spent + elapsed
        self._aim(elapsed)

    def arrive(self) -> None:
        """Take note that the backlog is folded: the next one begins with steps of the usual length."""
        if self._may_last > self.seconds:
            self.limit = max(min(self.most, LEAST), round(self.limit * self.seconds / self._may_last))
        self._spent = 0.0

    @property
    def _may_last(self) -> float:
        return max(self.seconds, min(self._spent * _SHARE, self.seconds * _LONGEST))

    def _aim(self, elapsed: float) -> None:
        change = min(max(self._may_last / max(elapsed, 1e-3), 1 / _CHANGE), _CHANGE)
        self.limit = min(self.most, max(LEAST, round(self.limit * change)))
