"""The events of a step, in the session's temporary table `step_event`, and running a projection's folds on them."""

from collections.abc import Collection, Mapping

from projections.engine.checkpoint import Connection
from projections.engine.locks import prepare_locks
from projections.engine.plans import LARGE, prepared
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

# Whatever is known of the log, to ask for a beginning of it that has no known end makes the planner walk the index.
_COLLECT = """
WITH new_event AS (
    (
        SELECT * FROM event
        WHERE tx >= $1::text::xid8 AND tx < $3::text::xid8
        ORDER BY tx, position
        LIMIT (SELECT 9223372036854775807)
    )
    UNION ALL
    SELECT before.*
    FROM unnest($2::text[]::xid8[]) AS running(tx)
    CROSS JOIN LATERAL (
        SELECT * FROM event
        WHERE tx = running.tx AND tx < $3::text::xid8
        ORDER BY tx, position
        LIMIT (SELECT 9223372036854775807)
    ) AS before
),

collected AS (
    INSERT INTO step_event SELECT * FROM new_event RETURNING type
)

SELECT type, count(*) AS events FROM collected GROUP BY type
"""

_CLEAR = "SELECT pg_temp.clear_step_event()"

_COUNT = "SELECT type, count(*) AS events FROM step_event GROUP BY type"


async def prepare_session(connection: Connection) -> None:
    """Make the session's place for a step's events; once per connection, before its first step."""
    await connection.execute(_PREPARE)
    await prepare_locks(connection)


async def collect(connection: Connection, seen: Snapshot, target: Snapshot) -> dict[str, int]:
    """Put the events that `target` sees and `seen` does not into `step_event`; return how many of each type."""
    running = [str(xid) for xid in seen.in_progress]
    rows = await connection.fetch(_COLLECT, str(seen.xmax), running, str(target.xmax))
    events = {row["type"]: row["events"] for row in rows}
    if sum(events.values()) > LARGE:
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
    connection: Connection, projections: Collection[Projection], events: Mapping[str, int]
) -> None:
    """Do the same for several projections, and clear: in one message, for a small step's time goes into messages."""
    await connection.execute("; ".join(await folding(connection, projections, events)))


async def folding(connection: Connection, projections: Collection[Projection], events: Mapping[str, int]) -> list[str]:
    """Return the statements that do so, without parameters; the session has prepared what takes planning."""
    texts = [fold.sql for each in projections for fold in each.folds if not fold.events.isdisjoint(events)]
    return [*[f"EXECUTE {await prepared(connection, text)}" for text in texts], _CLEAR]
