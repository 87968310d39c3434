"""Checkpoints: the snapshot that each projection's tables reflect, and how its last step went.

The step and the rebuild read and move them inside their own transaction; nobody else writes this table.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import asyncpg

from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot

#: A connection, taken from a pool or not.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

#: First half of the advisory locks' keys, so that they meet no lock of another kind.
LOCK_CLASS = 1_229_867_846

_READ = """
SELECT
    pg_current_snapshot()::text AS now,
    c.projection,
    c.version,
    c.snapshot::text AS snapshot,
    c.system_identifier,
    c.status = 'paused' OR coalesce(c.retry_at > clock_timestamp(), false) AS resting,
    c.failures,
    (
        SELECT e.tx::text::numeric
        FROM event e
        WHERE e.tx >= pg_snapshot_xmax(c.snapshot)
        ORDER BY e.tx, e.position
        LIMIT 1
    ) AS next_tx,
    (
        SELECT e.tx::text::numeric
        FROM event e
        WHERE e.tx >= pg_snapshot_xmax(c.snapshot)
        ORDER BY e.tx, e.position
        OFFSET $2
        LIMIT 1
    ) AS beyond
FROM checkpoint c
WHERE c.projection = ANY ($1::text[])
"""

_MOVE = """
UPDATE checkpoint
SET snapshot = $2::text::pg_snapshot,
    status = CASE status WHEN 'paused' THEN 'paused' ELSE 'running' END,
    error = NULL,
    failures = 0,
    retry_at = NULL,
    updated_at = clock_timestamp()
WHERE projection = ANY ($1::text[])
"""

_RESET = """
INSERT INTO checkpoint AS c (projection, version, snapshot, system_identifier)
VALUES ($1, $2, $3::text::pg_snapshot, $4)
ON CONFLICT (projection) DO UPDATE
SET version = excluded.version,
    snapshot = excluded.snapshot,
    system_identifier = excluded.system_identifier,
    status = CASE c.status WHEN 'paused' THEN 'paused' ELSE 'running' END,
    error = NULL,
    failures = 0,
    retry_at = NULL,
    updated_at = clock_timestamp()
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

_TRY_LOCK = """
SELECT name
FROM unnest($1::text[]) AS name
WHERE pg_try_advisory_lock($2, hashtext(name))
"""

_UNLOCK = "SELECT pg_advisory_unlock($2, hashtext(name)) FROM unnest($1::text[]) AS name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a projection stands. `beyond` is the transaction id that a bounded step must end below, if any."""

    projection: str
    version: int
    snapshot: Snapshot
    system_identifier: int
    resting: bool
    failures: int
    beyond: int | None

    def fits(self, projection: Projection, system_identifier: int) -> bool:
        """Say whether the tables can be continued: same version, same database cluster."""
        return self.version == projection.version and self.system_identifier == system_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where projections stand at a moment, and the snapshot of that moment; None where none of them stands anywhere."""

    now: Snapshot | None
    checkpoints: list[Checkpoint]


async def read_checkpoints(connection: Connection, names: Collection[str], *, limit: int) -> Standing:
    """Return the checkpoints that exist, each looking `limit` events ahead."""
    rows = await connection.fetch(_READ, list(names), limit)
    checkpoints = [
        Checkpoint(
            projection=row["projection"],
            version=row["version"],
            snapshot=Snapshot.parse(row["snapshot"]),
            system_identifier=row["system_identifier"],
            resting=row["resting"],
            failures=row["failures"],
            # A transaction larger than a step is taken whole.
            beyond=None if row["beyond"] is None else int(max(row["beyond"], row["next_tx"] + 1)),
        )
        for row in rows
    ]
    return Standing(now=Snapshot.parse(rows[0]["now"]) if rows else None, checkpoints=checkpoints)


async def move_checkpoints(connection: Connection, names: Sequence[str], snapshot: Snapshot) -> None:
    """Let the projections reflect `snapshot`; fails with 40001 when another worker has moved one meanwhile."""
    await connection.execute(_MOVE, list(names), str(snapshot))


async def reset_checkpoint(
    connection: Connection, projection: Projection, *, snapshot: Snapshot, system_identifier: int
) -> None:
    """Begin anew at `snapshot` with the projection's present version."""
    await connection.execute(_RESET, projection.name, projection.version, str(snapshot), system_identifier)


async def record_failure(connection: Connection, name: str, error: str) -> tuple[int, timedelta]:
    """Note a failed step and let the projection rest, longer each time up to 30 s; return failures and rest."""
    row = await connection.fetchrow(_FAIL, name, error[:2000])
    return (row["failures"], row["rest"]) if row else (0, timedelta())


async def current_snapshot(connection: Connection) -> Snapshot:
    """Return the snapshot of the running statement, or of the whole transaction under REPEATABLE READ."""
    return Snapshot.parse(await connection.fetchval("SELECT pg_current_snapshot()::text"))


async def system_identifier(connection: Connection) -> int:
    """Return the number that PostgreSQL gave this database cluster when it was made."""
    return int(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))


async def lock(connection: Connection, names: Collection[str]) -> list[str]:
    """Take the session's lock of each projection that no other session holds; return those taken."""
    return [row["name"] for row in await connection.fetch(_TRY_LOCK, list(names), LOCK_CLASS)]


async def lock_waiting(connection: Connection, names: Collection[str]) -> None:
    """Take the session's lock of every projection, waiting for whoever holds one; all of them or none."""
    taken = []
    try:
        for name in sorted(names):
            await connection.execute("SELECT pg_advisory_lock($1, hashtext($2))", LOCK_CLASS, name)
            taken.append(name)
    except asyncpg.PostgresError:
        if not connection.is_closed():
            await unlock(connection, taken)
        raise


async def unlock(connection: Connection, names: Collection[str]) -> None:
    """Give the session's locks back."""
    await connection.execute(_UNLOCK, list(names), LOCK_CLASS)
