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

_LAG: Final = """
SELECT projection, snapshot::text, behind, pg_current_snapshot()::text AS now
FROM read_lag
WHERE system_identifier = $1
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far each projection has come, the snapshot of that moment, and which of them lack something."""

    snapshots: dict[str, Snapshot]
    now: Snapshot | None
    behind: frozenset[str]

    def all_committed(self, projections: Sequence[str]) -> Demand:
        """Return what reflects everything that was committed at that moment; raises KeyError for one never built."""
        assert self.now is not None
        least = {name: self.now if name in self.behind else self.snapshots[name] for name in projections}
        return Demand(projections=tuple(projections), snapshots=least)


async def own_cluster(reader: Reader) -> int:
    """Return the number that PostgreSQL gave this database cluster when it was made; a replica has its primary's."""
    return int(await reader.fetchval(_CLUSTER))


async def read_lag(reader: Reader, *, cluster: int) -> Lag:
    """Return how far the projections have come that were built, and which of them lack something."""
    rows = await reader.fetch(_LAG, cluster)
    return Lag(
        {row["projection"]: Snapshot.parse(row["snapshot"]) for row in rows},
        Snapshot.parse(rows[0]["now"]) if rows else None,
        frozenset(row["projection"] for row in rows if row["behind"]),
    )
