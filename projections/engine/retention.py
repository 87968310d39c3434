"""Retention: drop events that every projection has passed and that are old enough. Rebuilds never need them.

The worker's hourly job and the CLI call it. It deletes in chunks, from the beginning of the log.
"""

from datetime import timedelta
from typing import Final

from projections.engine.checkpoint import Connection
from projections.engine.locks import BUILDING, LOCK_CLASS
from projections.engine.report import QUIET, Report
from projections.engine.shadow import shadow_schemas

CHUNK: Final = 10_000

_HORIZON = """
SELECT min(xmin)::text
FROM (
    SELECT pg_snapshot_xmin(snapshot)::text::numeric AS xmin FROM checkpoint
    {shadows}
) c
"""
_SHADOW = "UNION ALL SELECT pg_snapshot_xmin(snapshot)::text::numeric FROM {schema}.checkpoint"

# Shared, so that it stands in nobody's way but a rebuild's.
_HOLD = "SELECT pg_try_advisory_lock_shared($1, hashtext($2))"
_LET_GO = "SELECT pg_advisory_unlock_shared($1, hashtext($2))"

# A limit that the planner does not know makes it walk the index; it finds the rows again by their place.
_PRUNE = """
WITH chunk AS (
    SELECT e.ctid AS place, e.tx, e.position, e.at
    FROM event e
    WHERE (e.tx, e.position) > ($1::text::xid8, $2::bigint)
      AND e.tx < $3::text::xid8
    ORDER BY e.tx, e.position
    LIMIT (SELECT $4::bigint)
),

pruned AS (
    DELETE FROM event e
    WHERE e.ctid = ANY (ARRAY (SELECT c.place FROM chunk c WHERE c.at < clock_timestamp() - $5::interval))
    RETURNING 1
)

SELECT
    (SELECT count(*) FROM pruned) AS pruned,
    (SELECT count(*) FROM chunk) AS looked_at,
    (SELECT c.tx::text FROM chunk c ORDER BY c.tx DESC, c.position DESC LIMIT 1) AS tx,
    (SELECT c.position FROM chunk c ORDER BY c.tx DESC, c.position DESC LIMIT 1) AS position
"""


async def prune(connection: Connection, *, older_than: timedelta, chunk: int = CHUNK, report: Report = QUIET) -> int:
    """Drop the events that no projection will fold any more and that are older than `older_than`; return how many.

    Each chunk is a transaction of its own, so it may be interrupted at any time. Drops nothing while a rebuild runs.
    """
    horizon = await _horizon(connection)
    if horizon is None:
        report.note("Nothing is pruned while a rebuild runs, or before anything was built.")
        return 0
    report.begin("Pruning the event log", None, "events")
    tx, position, pruned = "0", 0, 0
    while True:
        row = await connection.fetchrow(_PRUNE, tx, position, horizon, chunk, older_than)
        assert row is not None
        pruned += int(row["pruned"])
        report.reach(pruned)
        if row["looked_at"] < chunk or row["pruned"] < row["looked_at"]:
            return pruned
        tx, position = row["tx"], row["position"]


async def _horizon(connection: Connection) -> str | None:
    """Return the transaction id below which every projection has seen everything; None while a rebuild runs.

    That one has not said yet from which snapshot on it will need events. One that begins later sees all that is below.
    """
    if not await connection.fetchval(_HOLD, LOCK_CLASS, BUILDING):
        return None
    try:
        return await _least(connection)
    finally:
        await connection.execute(_LET_GO, LOCK_CLASS, BUILDING)


async def _least(connection: Connection) -> str | None:
    shadows = " ".join(_SHADOW.format(schema=schema) for schema in await shadow_schemas(connection))
    horizon: str | None = await connection.fetchval(_HORIZON.format(shadows=shadows))
    return horizon
