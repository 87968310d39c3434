"""Glances: where every projection stands at a moment, read once for all who ask for it at the same time.

app.api.lane asks, to tell whether an answer that it keeps still holds. Never writes, never reads but checkpoints.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app.checkpoints import own_cluster
from app.queries.reader import Reader
from projections.engine.snapshot import Snapshot

# The row's xmin changes with whatever changes the tables: a step, a swap, a repair, a replay.
_GLANCE: Final = """
SELECT
    c.projection,
    c.snapshot::text AS snapshot,
    c.xmin::text AS changed_by,
    l.behind
FROM checkpoint c
JOIN read_lag l USING (projection)
WHERE c.system_identifier = $1
ORDER BY c.projection
"""

#: What some projections' tables reflected: equal marks, equal tables.
Mark: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """Where projections stand. `era` is the reader's: what was read in another may not hold."""

    era: int
    changes: dict[str, tuple[str, str]]
    behind: frozenset[str]
    _marks: dict[Sequence[str], Mark | None] = field(default_factory=dict)

    def mark(self, projections: tuple[str, ...]) -> Mark | None:
        """Return what the tables of these projections reflect; None when one of them was never built."""
        if projections not in self._marks:
            built = all(name in self.changes for name in projections)
            self._marks[projections] = (self.era, *(self.changes[name] for name in projections)) if built else None
        return self._marks[projections]

    def sees(self, projections: Iterable[str], transactions: Sequence[int]) -> bool:
        """Say whether all of these projections reflect all of these transactions."""
        return all(self.snapshot(name).sees(each) for name in projections for each in transactions)

    def changed_by(self, projections: Iterable[str]) -> str:
        """Return which transactions changed the tables of these projections last, by the projections' names."""
        return " ".join(self.changes[name][1] for name in sorted(projections))

    def snapshot(self, projection: str) -> Snapshot:
        """Return the snapshot that a projection reflects; raises KeyError when it was never built."""
        return Snapshot.parse(self.changes[projection][0])


class Glances:
    """One per process. Whoever asks is given a glance that begins later, so it misses nothing committed before."""

    # Not app.together: every hot read passes here, and its own future costs less than a shield around a shared one.

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: list[asyncio.Future[Glance]] = []
        self._looking: asyncio.Task[None] | None = None
        self._last: Glance | None = None
        self._cluster: tuple[int, int] | None = None

    def look(self) -> Awaitable[Glance]:
        """Return where projections stood at a moment after the call. Raises what a Reader raises."""
        waiter: asyncio.Future[Glance] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_while_asked())
        return waiter

    async def _look_while_asked(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                try:
                    glance = await self._read()
                except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it is
                    for waiter in waiting:
                        if not waiter.done():
                            waiter.set_exception(error)
                else:
                    for waiter in waiting:
                        if not waiter.done():
                            waiter.set_result(glance)
        finally:
            self._looking = None

    async def _read(self) -> Glance:
        era = self._reader.era
        if self._cluster is None or self._cluster[0] != era:
            self._cluster = (era, await own_cluster(self._reader))
        rows = await self._reader.fetch(_GLANCE, self._cluster[1])
        # An era that ended meanwhile makes a mark that no later one equals.
        changes = {row[0]: (row[1], row[2]) for row in rows}
        behind = frozenset(row[0] for row in rows if row[3])
        last = self._last
        if last is None or last.era != era or last.changes != changes or last.behind != behind:
            self._last = last = Glance(era, changes, behind)
        return last
