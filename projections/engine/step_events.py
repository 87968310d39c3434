"""The events of a step, in the session's temporary table `step_event`, and running a projection's folds on them."""

from collections.abc import Collection
from hashlib import sha256
from weakref import WeakKeyDictionary

from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot

# Not ON COMMIT DELETE ROWS: truncating tables and their indexes takes longer than a small step, and has all statements
# that read them planned anew. What was deleted takes a little room until there is enough of it to be truncated.
_PREPARE = """
CREATE TEMPORARY TABLE IF NOT EXISTS step_event (LIKE event);
CREATE TEMPORARY TABLE IF NOT EXISTS set_aside_event (number bigint, LIKE event);

CREATE OR REPLACE FUNCTION pg_temp.clear_step_event() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF pg_relation_size('pg_temp.step_event') > 65536 THEN
        TRUNCATE pg_temp.step_event;
    ELSE
        DELETE FROM pg_temp.step_event;
    END IF;
END
$$;
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

_CLEAR = "SELECT pg_temp.clear_step_event()"

_COUNT = "SELECT type, count(*) AS events FROM step_event GROUP BY type"

#: The folds that each session has prepared, by the names that it knows them by.
_prepared: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()

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
        await connection.execute("ANALYZE step_event (type, subject_id, actor_id)")
    return events


async def count(connection: Connection) -> dict[str, int]:
    """Return how many events of each type the step has."""
    return {row["type"]: row["events"] for row in await connection.fetch(_COUNT)}


async def clear(connection: Connection) -> None:
    """Make room for other events: after each group of projections, since the table outlives the transaction."""
    await connection.execute(_CLEAR)


async def run_folds(connection: Connection, projection: Projection, events: dict[str, int]) -> None:
    """Run those of the projection's folds that events of these types call for."""
    for fold in projection.folds:
        if not fold.events.isdisjoint(events):
            await connection.fetch(fold.sql)


async def run_folds_together(
    connection: Connection, projections: Collection[Projection], events: dict[str, int]
) -> None:
    """Do the same for several projections, and clear: in one message, for a small step's time goes into messages."""
    texts = [fold.sql for each in projections for fold in each.folds if not fold.events.isdisjoint(events)]
    names = [f"fold_{sha256(text.encode()).hexdigest()[:32]}" for text in texts]
    prepared = _prepared.setdefault(connection, set())
    for name, text in zip(names, texts, strict=True):
        if name not in prepared:
            await connection.execute(f"PREPARE {name} AS {text}")
            prepared.add(name)
    await connection.execute("; ".join([*(f"EXECUTE {name}" for name in names), _CLEAR]))
