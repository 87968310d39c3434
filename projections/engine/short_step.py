"""The step of projections that are all free and stand at one snapshot, with no backlog: nearly every step is so.

It says in four messages what engine.step, which asks it first, says in eight: a small step's time goes into messages.
What is no such step it declines before it has changed anything.
"""

from collections.abc import Mapping, Sequence

import asyncpg

from projections.engine.checkpoint import MOVE_CHECKPOINTS, Checkpoint, Connection, read_checkpoints
from projections.engine.locks import locking_all, text_array, unlocking
from projections.engine.plans import prepared
from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot
from projections.engine.step_events import collect, folding
from projections.engine.step_result import StepFailedError, StepResult


async def short_step(
    connection: Connection,
    by_name: Mapping[str, Projection],
    *,
    system_identifier: int,
    limit: int,
    result: StepResult,
) -> bool:
    """Fold what is new into all of them, and add that to `result`; return whether this was a step of the short kind.

    Raises StepFailedError when a fold fails, and asyncpg.SerializationError when another session has moved a
    projection meanwhile; then nothing has happened.
    """
    if not await _begin(connection, by_name):
        return False
    committed = 0
    try:
        standing = await read_checkpoints(connection, by_name, limit=limit)
        due = standing.due(by_name, system_identifier)
        if not _stand_together(due):
            return False
        if due and standing.now:
            committed = await _fold(connection, by_name, due, standing.now, result)
    finally:
        if not committed and not connection.is_closed():
            await connection.execute(f"ROLLBACK; {unlocking(by_name)}")
    return True


async def _begin(connection: Connection, names: Mapping[str, Projection]) -> bool:
    """Lock all, then begin; return whether all were free. The snapshot is taken by the statement that comes next."""
    try:
        await connection.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; {locking_all(names)}; COMMIT AND CHAIN")
    except asyncpg.LockNotAvailableError:
        await connection.execute("ROLLBACK")
        return False
    except BaseException:  # cancelled when it may have locked and begun
        if not connection.is_closed():
            await connection.execute(f"ROLLBACK; {unlocking(names)}")
        raise
    return True


def _stand_together(due: Sequence[Checkpoint]) -> bool:
    return len({each.snapshot for each in due}) <= 1 and all(each.beyond is None for each in due)


async def _fold(
    connection: Connection,
    by_name: Mapping[str, Projection],
    due: Sequence[Checkpoint],
    now: Snapshot,
    result: StepResult,
) -> int:
    """Fold, move the checkpoints, commit and let go of the locks; return how many events there were, if any."""
    names = [each.projection for each in due]
    events = await collect(connection, due[0].snapshot, now)
    number = sum(events.values())
    if number:
        move = await prepared(connection, MOVE_CHECKPOINTS)
        try:
            statements = [
                *await folding(connection, [by_name[name] for name in names], events),
                f"EXECUTE {move} ({text_array(names)}, '{now}', {number:d})",
                "COMMIT",
                unlocking(by_name),
            ]
            await connection.execute("; ".join(statements))
        except asyncpg.SerializationError:
            raise  # another session has moved them meanwhile, and no fold is to blame
        except asyncpg.PostgresError as error:
            raise StepFailedError(*names) from error
        result.note(names, events, now)
    return number
