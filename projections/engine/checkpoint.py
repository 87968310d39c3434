"""Checkpoints: the snapshot that each projection's tables reflect, and how its last step went.

The step and the rebuild read and move them inside their own transaction; nobody else writes this table.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import asyncpg

from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot

#: A connection, taken from a pool or not.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
#: Opens a connection that its caller closes.
Connect: TypeAlias = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]

# What is visible lies below the present. To say so, and to hide how far ahead it looks, makes the planner walk the
# index from the snapshot on and stop as soon as it can, however long the log is and whatever is known of it.
_READ = """
WITH standing AS (
    SELECT DISTINCT pg_snapshot_xmax(c.snapshot) AS seen
    FROM checkpoint c
    WHERE c.projection = ANY ($1::text[])
),

ahead AS MATERIALIZED (
    SELECT
        s.seen,
        (
            SELECT e.tx::text::numeric
            FROM event e
            WHERE e.tx >= s.seen
              AND e.tx < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY e.tx, e.position
            LIMIT 1
        ) AS next_tx,
        (
            SELECT e.tx::text::numeric
            FROM event e
            WHERE e.tx >= s.seen
              AND e.tx < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY e.tx, e.position
            OFFSET (SELECT $2::bigint)
            LIMIT 1
        ) AS beyond
    FROM standing s
)

SELECT
    pg_current_snapshot()::text AS now,
    c.projection,
    c.version,
    c.snapshot::text AS snapshot,
    -- One that lies in the future comes from another cluster, whatever it says: a copy has the original's identifier.
    CASE
        WHEN pg_snapshot_xmax(c.snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) THEN c.system_identifier
        ELSE 0
    END AS system_identifier,
    c.status = 'paused' AS paused,
    c.status = 'paused' OR coalesce(c.retry_at > clock_timestamp(), false) AS resting,
    c.failures,
    a.next_tx,
    a.beyond
FROM checkpoint c
JOIN ahead a ON a.seen = pg_snapshot_xmax(c.snapshot)
WHERE c.projection = ANY ($1::text[])
"""

#: Parameters: the projections' names, the snapshot that they reflect from now on, the number of events.
MOVE_CHECKPOINTS = """
UPDATE checkpoint
SET snapshot = $2::text::pg_snapshot,
    status = CASE status WHEN 'paused' THEN 'paused' ELSE 'running' END,
    error = NULL,
    failures = 0,
    retry_at = NULL,
    step_events = $3,
    step_seconds = extract(epoch FROM clock_timestamp() - transaction_timestamp()),
    updated_at = clock_timestamp()
WHERE projection = ANY ($1::text[])
"""

_FAIL = """
UPDATE checkpoint
SET status = CASE status WHEN 'paused' THEN 'paused' ELSE 'failing' END,
    error = $2,
    failures = failures + 1,
    retry_at = clock_timestamp() + least(interval '100 ms' * power(2, least(failures, 10)), interval '30 s')
WHERE projection = $1
RETURNING failures, retry_at - clock_timestamp() AS rest
"""

_PAUSE = """
UPDATE checkpoint
SET status = 'paused',
    error = coalesce($2, error)
WHERE projection = $1
"""

_RESUME = """
UPDATE checkpoint
SET status = 'running',
    error = NULL,
    failures = 0,
    retry_at = NULL
WHERE projection = $1
"""

_TOUCH = "UPDATE checkpoint SET updated_at = clock_timestamp() WHERE projection = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a projection stands. `beyond` is the transaction id that a bounded step must end below, if any."""

    projection: str
    version: int
    snapshot: Snapshot
    system_identifier: int
    paused: bool
    resting: bool
    failures: int
    beyond: int | None

    def fits(self, projection: Projection, system_identifier: int) -> bool:
        """Say whether the tables are what this release makes of them: same version, same database cluster."""
        return self.version == projection.version and self.system_identifier == system_identifier

    def continuable(self, projection: Projection, system_identifier: int) -> bool:
        """Say whether this release may step the tables.

        It steps those of an earlier version too, until the rebuild swaps them, so that they don't fall behind
        meanwhile; it leaves those of a later one to the release that has made them.
        """
        return self.version <= projection.version and self.system_identifier == system_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where projections stand at a moment, and the snapshot of that moment; None where none of them stands anywhere."""

    now: Snapshot | None
    checkpoints: list[Checkpoint]

    def due(self, by_name: Mapping[str, Projection], system_identifier: int) -> list[Checkpoint]:
        """Return those that this release may step now."""
        return [
            each
            for each in self.checkpoints
            if not each.resting and each.continuable(by_name[each.projection], system_identifier)
        ]


async def read_checkpoints(connection: Connection, names: Collection[str], *, limit: int) -> Standing:
    """Return the checkpoints that exist, each looking `limit` events ahead."""
    rows = await connection.fetch(_READ, list(names), limit)
    checkpoints = [
        Checkpoint(
            projection=row["projection"],
            version=row["version"],
            snapshot=Snapshot.parse(row["snapshot"]),
            system_identifier=row["system_identifier"],
            paused=row["paused"],
            resting=row["resting"],
            failures=row["failures"],
            # A transaction larger than a step is taken whole.
            beyond=None if row["beyond"] is None else int(max(row["beyond"], row["next_tx"] + 1)),
        )
        for row in rows
    ]
    return Standing(now=Snapshot.parse(rows[0]["now"]) if rows else None, checkpoints=checkpoints)


async def move_checkpoints(connection: Connection, names: Sequence[str], snapshot: Snapshot, *, events: int) -> None:
    """Let the projections reflect `snapshot`, after a step of so many events.

    Fails with 40001 when another worker has moved one meanwhile.
    """
    await connection.execute(MOVE_CHECKPOINTS, list(names), str(snapshot), events)


async def record_failure(connection: Connection, name: str, error: str) -> tuple[int, timedelta]:
    """Note a failed step and let the projection rest, longer each time up to 30 s; return failures and rest."""
    row = await connection.fetchrow(_FAIL, name, error[:2000])
    return (row["failures"], row["rest"]) if row else (0, timedelta())


async def pause(connection: Connection, name: str, *, error: str | None = None) -> bool:
    """Have no step taken until it is resumed; return whether there is such a projection."""
    return await connection.execute(_PAUSE, name, error) != "UPDATE 0"


async def resume(connection: Connection, name: str) -> bool:
    """Have steps taken again, at once; return whether there is such a projection."""
    return await connection.execute(_RESUME, name) != "UPDATE 0"


async def touch(connection: Connection, name: str) -> None:
    """Note that a projection's tables were changed by no step, for whoever keeps what was read of them."""
    await connection.execute(_TOUCH, name)


async def current_snapshot(connection: Connection) -> Snapshot:
    """Return the snapshot of the running statement, or of the whole transaction under REPEATABLE READ."""
    return Snapshot.parse(await connection.fetchval("SELECT pg_current_snapshot()::text"))


async def system_identifier(connection: Connection) -> int:
    """Return the number that PostgreSQL gave this database cluster when it was made."""
    return int(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))
