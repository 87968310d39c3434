"""What the read side asks of the checkpoints: how far projections have come, and what all that is committed demands.

A checkpoint of another cluster, from which a dump was restored here, means nothing: its projection is not built yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.demand import Demand
from app.queries.reader import Reader
from projections.engine.snapshot import Snapshot

_CLUSTER: Final = "SELECT system_identifier FROM pg_control_system()"

_REACHED: Final = """
SELECT projection, snapshot::text, pg_current_snapshot()::text AS now
FROM checkpoint
WHERE system_identifier = $1
"""

_LAG: Final = """
SELECT projection, snapshot::text, behind, pg_current_snapshot()::text AS now
FROM read_lag
WHERE projection = ANY ($1::text[])
  AND system_identifier = $2
"""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far each projection has come, and the snapshot of the moment at which that was so."""

    snapshots: dict[str, Snapshot]
    now: Snapshot | None


@dataclass(frozen=True, slots=True)
class Lag(Reached):
    """The same, and which of them do not reflect all that is committed."""

    behind: frozenset[str]

    def all_committed(self) -> Demand:
        """Return what reflects everything that was committed at that moment."""
        assert self.now is not None
        return Demand(
            projections=tuple(self.snapshots),
            snapshots={**self.snapshots, **dict.fromkeys(self.behind, self.now)},
        )


async def own_cluster(reader: Reader) -> int:
    """Return the number that PostgreSQL gave this database cluster when it was made; a replica has its primary's."""
    return int(await reader.fetchval(_CLUSTER))


async def read_reached(reader: Reader, *, cluster: int) -> Reached:
    """Return how far the projections have come."""
    rows = await reader.fetch(_REACHED, cluster)
    return Reached(
        {row["projection"]: Snapshot.parse(row["snapshot"]) for row in rows},
        Snapshot.parse(rows[0]["now"]) if rows else None,
    )


async def read_lag(reader: Reader, projections: Sequence[str], *, cluster: int) -> Lag:
    """Return how far those of the projections have come that were built, and which of them lack something."""
    rows = await reader.fetch(_LAG, list(projections), cluster)
    return Lag(
        {row["projection"]: Snapshot.parse(row["snapshot"]) for row in rows},
        Snapshot.parse(rows[0]["now"]) if rows else None,
        frozenset(row["projection"] for row in rows if row["behind"]),
    )
