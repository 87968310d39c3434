"""The events of a step, in the session's temporary table `step_event`, and running a projection's folds on them."""

from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot

_PREPARE = """
CREATE TEMPORARY TABLE IF NOT EXISTS step_event (LIKE event) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS set_aside_event (number bigint, LIKE event) ON COMMIT DELETE ROWS;
"""

_COLLECT = """
WITH new_event AS (
    SELECT * FROM event
    WHERE tx >= $1::text::xid8 AND tx < $3::text::xid8
    UNION ALL
    SELECT * FROM event
    WHERE tx = ANY ($2::text[]::xid8[]) AND tx < $3::text::xid8
),

collected AS (
    INSERT INTO step_event SELECT * FROM new_event RETURNING type
)

SELECT type, count(*) AS events FROM collected GROUP BY type
"""

_COUNT = "SELECT type, count(*) AS events FROM step_event GROUP BY type"

#: The planner learns the size of a step only beyond this many events; below, its default guess serves.
ANALYZE_ABOVE = 2_000


async def prepare_session(connection: Connection) -> None:
    """Make the session's place for a step's events; once per connection, before its first step."""
    await connection.execute(_PREPARE)


async def collect(connection: Connection, seen: Snapshot, target: Snapshot) -> dict[str, int]:
    """Put the events that `target` sees and `seen` does not into `step_event`; return how many of each type."""
    running = [str(xid) for xid in seen.in_progress]
    rows = await connection.fetch(_COLLECT, str(seen.xmax), running, str(target.xmax))
    events = {row["type"]: row["events"] for row in rows}
    if sum(events.values()) > ANALYZE_ABOVE:
        await connection.execute("ANALYZE step_event")
    return events


async def count(connection: Connection) -> dict[str, int]:
    """Return how many events of each type the step has."""
    return {row["type"]: row["events"] for row in await connection.fetch(_COUNT)}


async def clear(connection: Connection) -> None:
    """Make room for the events of another group in the same transaction."""
    await connection.execute("DELETE FROM step_event")


async def run_folds(connection: Connection, projection: Projection, events: dict[str, int]) -> None:
    """Run those of the projection's folds that events of these types call for."""
    for fold in projection.folds:
        if not fold.events.isdisjoint(events):
            await connection.fetch(fold.sql)
