"""Parked events: those a fold could not take. They are looked at, and folded or dropped, from the CLI."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from projections.engine.checkpoint import Connect, Connection, read_checkpoints, system_identifier, touch
from projections.engine.connections import lose_locks_when_silent, opened
from projections.engine.locks import holding
from projections.engine.poison import fold_around_poison
from projections.engine.projection import Projection
from projections.engine.step import Step, step_to_present
from projections.engine.step_events import clear, prepare_session
from projections.engine.step_result import StepFailedError

_UNBOUNDED = 2**31 - 1
_COLUMNS = "tx, position, type, subject_id, actor_id, payload, at"

_LIST = """
SELECT projection, position, type, subject_id, actor_id, payload::text, at, error, tries, parked_at
FROM parked_event
WHERE ($1::text IS NULL OR projection = $1)
  AND ($2::bigint IS NULL OR position = $2)
ORDER BY projection, tx, position
"""

_TAKE = f"""
WITH taken AS (
    SELECT * FROM parked_event WHERE projection = $1 AND ($2::bigint IS NULL OR position = $2)
)

INSERT INTO step_event ({_COLUMNS})
SELECT {_COLUMNS}
FROM taken
"""

_FOLDED = """
DELETE FROM parked_event
WHERE projection = $1
  AND ($2::bigint IS NULL OR position = $2)
  AND position <> ALL ($3::bigint[])
"""

_DROP = "DELETE FROM parked_event WHERE projection = $1 AND ($2::bigint IS NULL OR position = $2)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """An event that one projection lacks, and why."""

    projection: str
    position: int
    type: str
    subject_id: str
    actor_id: str
    payload: Any
    at: datetime
    error: str
    tries: int
    parked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How many parked events were folded, and the positions of those that failed again and stay parked."""

    folded: int
    failed: Sequence[int]


class NotReplayableError(Exception):
    """The projection can't take parked events now; the message says why and what to do."""


async def list_parked(
    connection: Connection, projection: str | None = None, position: int | None = None
) -> list[ParkedEvent]:
    """Return the parked events, of one projection and at one position if these are given."""
    rows = await connection.fetch(_LIST, projection, position)
    return [
        ParkedEvent(
            **dict(row)
            | {
                "payload": orjson.loads(row["payload"]),
                "subject_id": str(row["subject_id"]),
                "actor_id": str(row["actor_id"]),
            }
        )
        for row in rows
    ]


async def replay(connect: Connect, projection: Projection, position: int | None = None) -> Replayed:
    """Fold a projection's parked events, or one of them, exactly once: with their removal, in one transaction.

    Those that fail again stay. What came after a parked event may have met tables that lacked it: verify and repair
    afterwards. Raises NotReplayableError.
    """
    by_name = {projection.name: projection}
    async with opened(connect) as connection:
        await lose_locks_when_silent(connection)
        await prepare_session(connection)
        cluster = await system_identifier(connection)
        try:
            await step_to_present(connection, projection, system_identifier=cluster)
        except StepFailedError as failure:
            raise _later(projection, failure) from failure
        async with holding(connection, by_name), connection.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(connection, by_name, limit=_UNBOUNDED)
            if not standing.checkpoints or not standing.checkpoints[0].fits(projection, cluster):
                raise NotReplayableError(f"{projection.name} is being built. Try again when it is done.")
            if standing.checkpoints[0].paused:
                raise NotReplayableError(
                    f"{projection.name} is paused. First: inkfold projections resume {projection.name}"
                )
            try:
                await Step(connection, by_name, system_identifier=cluster).fold_pending(standing)
            except StepFailedError as failure:
                raise _later(projection, failure) from failure
            await clear(connection)
            taken = int((await connection.execute(_TAKE, projection.name, position)).rpartition(" ")[2])
            failed = await fold_around_poison(connection, projection)
            await connection.execute(_FOLDED, projection.name, position, failed)
            await touch(connection, projection.name)
    return Replayed(folded=taken - len(failed), failed=failed)


def _later(projection: Projection, failure: StepFailedError) -> NotReplayableError:
    return NotReplayableError(f"{projection.name} fails at what came later, which comes first: {failure.__cause__}")


async def drop_parked(connection: Connection, projection: str, position: int | None = None) -> int:
    """Forget parked events without folding them; return how many."""
    return int((await connection.execute(_DROP, projection, position)).rpartition(" ")[2])
