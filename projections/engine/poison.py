"""Poison: events that a fold can't take are found by halving the step, and set aside in `parked_event`.

The step calls it, inside its transaction: events set aside and checkpoint moved are one commit, so each event is either
folded or parked. `projections.engine.parked` shows them and folds them later.
"""

import logging
from typing import Final

import asyncpg

from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection
from projections.engine.step_events import count, run_folds

log = logging.getLogger(__name__)

#: A projection that fails this many times in a row fails for good.
PATIENCE: Final = 3
#: With so many events parked, it isn't the events that are broken.
MOST_PARKED: Final = 1_000

#: Classes of SQLSTATE that are about the data: cardinality, data, constraints, routines, check option, limits, RAISE.
_OF_THE_DATA: Final = frozenset({"21", "22", "23", "2F", "44", "54", "P0"})

_SET_ASIDE = """
WITH moved AS (
    DELETE FROM step_event RETURNING *
)

INSERT INTO set_aside_event
SELECT row_number() OVER (ORDER BY m.tx, m.position), m.*
FROM moved m
"""

_COLUMNS = "tx, position, type, subject_id, actor_id, payload, at"

_TAKE = f"""
INSERT INTO step_event ({_COLUMNS})
SELECT {_COLUMNS}
FROM set_aside_event
WHERE number BETWEEN $1 AND $2
"""

_PARK = f"""
INSERT INTO parked_event AS p (projection, {_COLUMNS}, error)
SELECT $1, {_COLUMNS}, $2
FROM step_event
ON CONFLICT (projection, tx, position) DO UPDATE
SET error = excluded.error,
    tries = p.tries + 1,
    parked_at = clock_timestamp()
"""


class TooManyParkedError(Exception):
    """A projection has so many parked events that its fold must be what is broken."""


def is_poison(error: BaseException) -> bool:
    """Say whether an error can be the fault of an event, and not of the server, the schema or the moment."""
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in _OF_THE_DATA


async def fold_around_poison(connection: Connection, projection: Projection) -> list[int]:
    """Fold the step's events but for those that fail alone, which are parked; return the positions of these.

    `step_event` is afterwards as it was. Raises what is not an event's fault, and TooManyParkedError.
    """
    events = int((await connection.execute(_SET_ASIDE)).rpartition(" ")[2])
    parked: list[int] = []
    halves = [(1, events)]
    while halves:
        first, last = halves.pop()
        error = await _try(connection, projection, first, last)
        if error is None:
            continue
        if first < last:
            middle = (first + last) // 2
            halves += [(middle + 1, last), (first, middle)]  # the earlier half is taken first
        else:
            parked.append(await _park(connection, projection, error))
    await _take(connection, 1, events)
    await connection.execute("DELETE FROM set_aside_event")
    return parked


async def _try(connection: Connection, projection: Projection, first: int, last: int) -> asyncpg.PostgresError | None:
    await _take(connection, first, last)
    try:
        async with connection.transaction():
            await run_folds(connection, projection, await count(connection))
    except asyncpg.PostgresError as error:
        if not is_poison(error):
            raise
        return error
    return None


async def _take(connection: Connection, first: int, last: int) -> None:
    await connection.execute("DELETE FROM step_event")
    await connection.execute(_TAKE, first, last)


async def _park(connection: Connection, projection: Projection, error: asyncpg.PostgresError) -> int:
    position, kind = await connection.fetchrow("SELECT position, type FROM step_event") or (0, "")
    await connection.execute(_PARK, projection.name, f"{type(error).__name__}: {error}"[:2000])
    parked = await connection.fetchval("SELECT count(*) FROM parked_event WHERE projection = $1", projection.name)
    if parked > MOST_PARKED:
        raise TooManyParkedError(
            f"{MOST_PARKED:,} events of {projection.name} are parked, so the fold must be what is broken. Last: {error}"
        )
    log.error("Projection %s parks event %d (%s): %s", projection.name, position, kind, error)
    return int(position)
