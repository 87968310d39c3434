"""One snapshot for two sessions: one reads the definitions in it, the other the read tables.

Verify calls it. A step exports the snapshot that it moves the tables to, for the first session; the other begins before
anyone may step again. Neither waits for steps, or holds them up, from then on.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from projections.engine.checkpoint import Checkpoint, Connect, Connection, read_checkpoints, system_identifier
from projections.engine.connections import lose_locks_when_silent, opened, stay_when_silent
from projections.engine.definitions import is_installed
from projections.engine.locks import holding
from projections.engine.projection import Projection
from projections.engine.snapshot import Snapshot
from projections.engine.step import Step, step_to_present
from projections.engine.step_events import prepare_session
from projections.engine.step_result import StepFailedError

#: A step that moves tables to the snapshot to be verified takes no more events than this.
_EVENTS: Final = 20_000
_TRIES: Final = 20

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_REACHED = "SELECT snapshot::text, built_at FROM checkpoint WHERE projection = $1"


class UnverifiableError(Exception):
    """A projection can't be brought to a snapshot to be compared at; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """One brings the tables to a snapshot; in that, one reads their definitions, and one what they show."""

    stepping: Connection
    defined: Connection
    shown: Connection


@asynccontextmanager
async def opened_sessions(connect: Connect) -> AsyncIterator[Sessions]:
    """Open the sessions, which serve any number of projections, one after the other."""
    async with opened(connect) as stepping, opened(connect) as defined, opened(connect) as shown:
        await prepare_session(stepping)
        yield Sessions(stepping, defined, shown)


@asynccontextmanager
async def at_one_snapshot(
    sessions: Sessions, projection: Projection
) -> AsyncIterator[tuple[Snapshot, datetime | None]]:
    """Let `defined` and `shown` see the normalized tables and the read tables of one snapshot, in open transactions."""
    await lose_locks_when_silent(sessions.stepping)
    try:
        met = await _meet(sessions, projection)
    except StepFailedError as failure:
        raise UnverifiableError(
            f"{projection.name} can't be verified while its fold fails: {failure.__cause__}"
        ) from failure
    except asyncpg.LockNotAvailableError as error:
        raise UnverifiableError(f"{projection.name} is held by another session for long. Try again.") from error
    except asyncpg.SerializationError as error:
        raise UnverifiableError(f"{projection.name} was changed by another session. Try again.") from error
    await stay_when_silent(sessions.stepping)
    yield met
    for connection in (sessions.defined, sessions.shown):
        await connection.execute("ROLLBACK")  # takes back how long they may be silent, too


async def _meet(sessions: Sessions, projection: Projection) -> tuple[Snapshot, datetime | None]:
    stepping, defined, shown = sessions.stepping, sessions.defined, sessions.shown
    cluster = await system_identifier(stepping)
    for _ in range(_TRIES):
        # In the usual way, so that the step with the locks is short.
        await step_to_present(stepping, projection, system_identifier=cluster, limit=_EVENTS)
        async with holding(stepping, [projection.name]):
            target = await _step_exporting(stepping, defined, projection, cluster)
            if target is None:
                continue
            await shown.execute(_BEGIN)
            # A rebuild's swap waits for this: the new tables are empty in older snapshots.
            await _hold(shown, [table.name for table in projection.tables])
            reached, built_at = await shown.fetchrow(_REACHED, projection.name) or ("", None)
            await stepping.execute("SELECT 1")  # fails when the session, and with it the lock, was lost on the way
        for connection in (defined, shown):
            await lose_locks_when_silent(connection)
        if Snapshot.parse(reached) == target:
            return target, built_at
        for connection in (defined, shown):
            await connection.execute("ROLLBACK")
    raise UnverifiableError(f"{projection.name} does not catch up with what is written. Try again when there is less.")


async def _step_exporting(
    stepping: Connection, defined: Connection, projection: Projection, cluster: int
) -> Snapshot | None:
    """Step to a snapshot that `defined` sees too; return it, or None when that would take too many events.

    Where nothing is to be folded, the checkpoint stays behind the snapshot, and what it stands for is the same.
    """
    async with stepping.transaction(isolation="repeatable_read"):
        standing = await read_checkpoints(stepping, [projection.name], limit=_EVENTS)
        checkpoint = _verifiable(standing.checkpoints, projection, cluster)
        if checkpoint.beyond is not None:
            return None
        exported = await stepping.fetchval("SELECT pg_export_snapshot()")
        await defined.execute(_BEGIN)
        await defined.execute(f"SET TRANSACTION SNAPSHOT '{exported}'")
        await _hold_definitions(defined, projection)
        last = Step(stepping, {projection.name: projection}, system_identifier=cluster)
        await last.fold_pending(standing)
    return last.result.snapshots.get(projection.name, checkpoint.snapshot)


async def _hold_definitions(defined: Connection, projection: Projection) -> None:
    """Let nobody replace the definitions before they are read; they must be this release's."""
    await _hold(defined, [table.view for table in projection.tables])
    for table in projection.tables:
        if not await is_installed(defined, table):
            raise UnverifiableError(
                f"The database has another release's definition of {table.name}. Migrate it to this release, or verify "
                "with the one that it was migrated to."
            )


async def _hold(connection: Connection, relations: Sequence[str]) -> None:
    """Let nobody drop or replace them before the transaction ends."""
    await connection.execute(f"LOCK TABLE {', '.join(relations)} IN ACCESS SHARE MODE")


def _verifiable(checkpoints: Sequence[Checkpoint], projection: Projection, cluster: int) -> Checkpoint:
    if not checkpoints or not checkpoints[0].fits(projection, cluster):
        raise UnverifiableError(f"{projection.name} is not built yet. Start a worker, which builds it.")
    if checkpoints[0].paused:
        raise UnverifiableError(
            f"{projection.name} is paused, so it does not reflect the present. "
            f"First: inkfold projections resume {projection.name}"
        )
    if checkpoints[0].resting and checkpoints[0].beyond is not None:
        raise UnverifiableError(f"{projection.name} has a backlog and fails. Why: inkfold projections status")
    return checkpoints[0]
