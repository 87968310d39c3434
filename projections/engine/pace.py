"""Pace: how many events a step takes so that it lasts about as long as it may. The runner and the rebuild keep one."""

from dataclasses import dataclass, field
from typing import Final

#: Below this many events a step's fixed costs are most of it.
LEAST: Final = 500
#: A step at most doubles, and at most halves, what the one before it took.
_CHANGE: Final = 2.0


@dataclass(slots=True, kw_only=True)
class Pace:
    """At most `most` events in a step, fewer where they took longer than `seconds`."""

    most: int
    seconds: float
    limit: int = field(init=False)

    def __post_init__(self) -> None:
        self.limit = min(self.most, max(LEAST, self.most // 4))

    def learn(self, elapsed: float) -> None:
        """Take note that a full step lasted so many seconds."""
        change = min(max(self.seconds / max(elapsed, 1e-3), 1 / _CHANGE), _CHANGE)
        self.limit = min(self.most, max(LEAST, round(self.limit * change)))
