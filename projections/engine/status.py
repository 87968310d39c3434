"""Status: how far each projection is behind, and what holds it back. Reads only; the CLI and /health/ready show it."""

from dataclasses import dataclass
from datetime import datetime

from projections.engine.checkpoint import Connection

_STATUS = """
SELECT
    c.projection,
    c.version,
    c.status,
    c.error,
    c.updated_at,
    coalesce(p.events, 0) AS events_behind,
    coalesce(extract(epoch FROM clock_timestamp() - p.oldest), 0)::float8 AS seconds_behind
FROM checkpoint c
LEFT JOIN LATERAL (
    SELECT count(*) AS events, min(e.at) AS oldest
    FROM event e
    WHERE e.tx >= pg_snapshot_xmin(c.snapshot)
      AND NOT pg_visible_in_snapshot(e.tx, c.snapshot)
) p ON true
ORDER BY c.projection
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a projection stands: committed events it does not reflect, and the age of the oldest of them."""

    projection: str
    version: int
    status: str
    error: str | None
    updated_at: datetime
    events_behind: int
    seconds_behind: float


async def read_status(connection: Connection) -> list[Status]:
    """Return the status of every projection that has been built."""
    return [Status(**row) for row in await connection.fetch(_STATUS)]
