"""The fold step: one REPEATABLE READ transaction that moves read tables from one snapshot to the next.

The events of a step are exactly those visible now and not in the checkpoint's snapshot. Never by position, never by
an xmin horizon: those lose events or stall behind an open transaction.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import asyncpg

from projections.engine.checkpoint import (
    Checkpoint,
    Connection,
    Standing,
    lock,
    lock_waiting,
    move_checkpoints,
    read_checkpoints,
    unlock,
)
from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot

log = logging.getLogger(__name__)

_PREPARE = "CREATE TEMPORARY TABLE IF NOT EXISTS step_event (LIKE event) ON COMMIT DELETE ROWS"

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

#: The planner learns the size of a step only beyond this many events; below, its default guess serves.
_ANALYZE_ABOVE = 2_000


class StepFailedError(Exception):
    """A projection's fold failed; `projection` says whose, the cause says why."""

    def __init__(self, projection: str) -> None:
        self.projection = projection
        super().__init__(f"The fold of projection {projection!r} failed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step did: the snapshots now reflected, how many events of which type, and whether more wait."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    more: bool = False


async def prepare_session(connection: Connection) -> None:
    """Make the session's place for a step's events; once per connection, before its first step."""
    await connection.execute(_PREPARE)


async def step(
    connection: Connection,
    projections: Sequence[Projection],
    *,
    system_identifier: int,
    limit: int,
    isolate: bool = False,
) -> StepResult:
    """Fold what is new into those projections that are free, in one transaction, about `limit` events at most.

    With `isolate`, each projection has a savepoint: one that fails is reported in `failed` and the others go on.
    Without, a failing fold raises StepFailedError and nothing has happened. Waits while another session folds;
    raises asyncpg.LockNotAvailableError past the session's lock_timeout.
    """
    by_name = {projection.name: projection for projection in projections}
    locked = await lock(connection, by_name)
    try:
        if not locked:  # another worker is folding; what it has not seen is ours when it is done
            await lock_waiting(connection, by_name)
            locked = list(by_name)
        async with connection.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(connection, locked, limit=limit)
            due = [
                checkpoint
                for checkpoint in standing.checkpoints
                if not checkpoint.resting and checkpoint.fits(by_name[checkpoint.projection], system_identifier)
            ]
            result = await fold_pending(connection, by_name, replace(standing, checkpoints=due), isolate=isolate)
        if sum(result.events.values()) > _ANALYZE_ABOVE:
            await connection.execute("DISCARD PLANS")  # made for a large step, wrong for a small one
    finally:
        if not connection.is_closed():
            await unlock(connection, locked)
    return result


async def fold_pending(
    connection: Connection,
    by_name: dict[str, Projection],
    standing: Standing,
    *,
    isolate: bool = False,
) -> StepResult:
    """Fold, inside the caller's REPEATABLE READ transaction, what each checkpoint has not seen, and move them."""
    groups: dict[Snapshot, list[Checkpoint]] = defaultdict(list)
    for checkpoint in standing.checkpoints:
        groups[checkpoint.snapshot].append(checkpoint)
    result = StepResult(more=any(checkpoint.beyond is not None for checkpoint in standing.checkpoints))
    for seen, members in groups.items():
        beyond = members[0].beyond
        assert standing.now is not None
        target = standing.now if beyond is None else standing.now.cut(beyond)
        events = await _collect(connection, seen, target)
        if events:
            names = [member.projection for member in members]
            folded = await _fold(connection, [by_name[name] for name in names], events, result, isolate=isolate)
            if folded:
                await move_checkpoints(connection, folded, target)
            result.snapshots.update(dict.fromkeys(folded, target))
            for type_, count in events.items():
                result.events[type_] = max(count, result.events.get(type_, 0))
            if len(groups) > 1:
                await connection.execute("DELETE FROM step_event")
    return result


async def _collect(connection: Connection, seen: Snapshot, target: Snapshot) -> dict[str, int]:
    running = [str(xid) for xid in seen.in_progress]
    rows = await connection.fetch(_COLLECT, str(seen.xmax), running, str(target.xmax))
    events = {row["type"]: row["events"] for row in rows}
    if sum(events.values()) > _ANALYZE_ABOVE:
        await connection.execute("ANALYZE step_event")
    return events


async def _fold(
    connection: Connection,
    projections: Sequence[Projection],
    events: dict[str, int],
    result: StepResult,
    *,
    isolate: bool,
) -> list[str]:
    """Run the folds that the events call for; return the projections whose folds all went through."""
    folded = []
    for projection in projections:
        try:
            if isolate:
                async with connection.transaction():
                    await _run_folds(connection, projection, events)
            else:
                await _run_folds(connection, projection, events)
        except asyncpg.PostgresError as error:
            if not isolate or error.sqlstate == asyncpg.SerializationError.sqlstate:
                raise StepFailedError(projection.name) from error
            result.failed[projection.name] = error
        else:
            folded.append(projection.name)
    return folded


async def _run_folds(connection: Connection, projection: Projection, events: dict[str, int]) -> None:
    for fold in projection.folds:
        if not fold.events.isdisjoint(events):
            await connection.fetch(fold.sql)
