"""How far the primary had written by which moment, so that a replica's position says how old what it shows may be.

Timestamps of replay can't say it: they stand still on an idle primary as on a replica that hangs.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final

from app.queries.reader import Reader

_MOST: Final = 3000

# The position up to which WAL is inserted, not written or flushed: a transaction is visible before its commit has left
# memory. On a page that holds nothing yet it stands behind the header, where nothing that a replica replays can end.
_POSITION: Final = """
SELECT
    pg_current_snapshot()::text AS snapshot,
    lsn - CASE
        WHEN file_offset = 40 THEN 40
        WHEN file_offset % current_setting('wal_block_size')::int = 24 THEN 24
        ELSE 0
    END AS lsn,
    left(file_name, 8) AS timeline,
    system_identifier AS cluster
FROM pg_current_wal_insert_lsn() AS lsn, pg_walfile_name_offset(lsn), pg_control_system()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the primary has written, what was committed just before, and in which of all histories that is."""

    cluster: int
    timeline: int
    snapshot: str
    lsn: int


async def read_position(primary: Reader) -> Position:
    """Return the primary's position now; raises what asyncpg raises, also where the server is no primary."""
    row = await primary.fetchrow(_POSITION)
    assert row is not None
    return Position(
        cluster=row["cluster"], timeline=int(row["timeline"], 16), snapshot=row["snapshot"], lsn=int(row["lsn"])
    )


class Milestones:
    """The primary's positions by moment, in seconds of the event loop's clock; the latest are kept."""

    def __init__(self) -> None:
        self.latest: Position | None = None
        self._passed: deque[tuple[float, int]] = deque(maxlen=_MOST)

    def add(self, position: Position, *, at: float) -> None:
        """Note a position that was read after the moment `at`."""
        before, self.latest = self.latest, position
        if before is None or (before.cluster, before.timeline) != (position.cluster, position.timeline):
            self._passed.clear()  # positions of another history compare with nothing
        elif before.snapshot == position.snapshot:
            # Nothing was committed since: who has replayed up to there has it all, whatever else is being written.
            self._passed[-1] = (at, self._passed[-1][1])
            return
        self._passed.append((at, position.lsn))

    def reflected(self, lsn: int) -> float:
        """Return the latest known moment of which a replica that has replayed up to `lsn` shows everything."""
        return next((at for at, passed in reversed(self._passed) if passed <= lsn), -inf)
