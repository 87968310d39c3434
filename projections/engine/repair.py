"""Repair: mend the rows that a verification found, in one transaction whose snapshot the tables then reflect.

The CLI calls it after `verify`. Other projections go on; steps of this one wait while its rows are derived anew.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg

from projections.engine.catalog import columns_of, key_of
from projections.engine.checkpoint import Checkpoint, Connect, Connection, read_checkpoints, system_identifier, touch
from projections.engine.comparison import Compared, Key
from projections.engine.connections import lose_locks_when_silent, opened
from projections.engine.locks import holding
from projections.engine.projection import Projection
from projections.engine.step import Step, step_to_present
from projections.engine.step_events import prepare_session
from projections.engine.step_result import StepFailedError
from projections.engine.verify import Verified

#: So many keys are looked up one by one, which lets PostgreSQL read just what each needs.
_ONE_BY_ONE: Final = 20
_UNBOUNDED: Final = 2**31 - 1

_SETTLE = """
DELETE FROM parked_event
WHERE projection = $1
  AND pg_visible_in_snapshot(tx, $2::text::pg_snapshot)
"""
_PARKED_SINCE = """
SELECT EXISTS (
    SELECT FROM parked_event WHERE projection = $1 AND NOT pg_visible_in_snapshot(tx, $2::text::pg_snapshot)
)
"""
# A later verification may have found more.
_MENDED = "UPDATE verification SET mended = true WHERE projection = $1 AND verified_at = $2"
_BUILT_AT = "SELECT built_at FROM checkpoint WHERE projection = $1"


class UnrepairableError(Exception):
    """A projection can't be mended; the message says why and what to do."""


class TooManyDifferencesError(UnrepairableError):
    """So much differs that building the projection anew is the way."""


class EventParkedMeanwhileError(UnrepairableError):
    """An event was parked after the verification; which rows lack it is not known."""


async def repair(connect: Connect, projection: Projection, verified: Verified) -> int:
    """Mend the rows whose keys differ, and no others; return how many.

    Parked events that the verification's snapshot had are in the mended rows, and are dropped, unless it was of a
    sample. Raises UnrepairableError.
    """
    if not all(table.exhausted for table in verified.tables):
        raise TooManyDifferencesError(
            f"More rows of {projection.name} differ than can be mended one by one: "
            f"inkfold projections rebuild {projection.name}"
        )
    by_name = {projection.name: projection}
    async with opened(connect) as connection:
        await lose_locks_when_silent(connection)
        await prepare_session(connection)
        cluster = await system_identifier(connection)
        try:
            await step_to_present(connection, projection, system_identifier=cluster)
        except StepFailedError as failure:
            raise _failing(projection, failure) from failure
        async with holding(connection, by_name), connection.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(connection, by_name, limit=_UNBOUNDED)
            await _require_unchanged(connection, verified, standing.checkpoints, projection, cluster)
            try:
                await Step(connection, by_name, system_identifier=cluster).fold_pending(standing)
            except StepFailedError as failure:
                raise _failing(projection, failure) from failure
            for table in verified.tables:
                await _mend(connection, table)
            await touch(connection, projection.name)
            if not verified.sample:
                await connection.execute(_SETTLE, projection.name, str(verified.snapshot))
                await connection.execute(_MENDED, projection.name, verified.verified_at)
    return sum(len(table.keys) for table in verified.tables)


def _failing(projection: Projection, failure: StepFailedError) -> UnrepairableError:
    return UnrepairableError(f"{projection.name} can't be mended while its fold fails: {failure.__cause__}")


async def _require_unchanged(
    connection: Connection,
    verified: Verified,
    checkpoints: Sequence[Checkpoint],
    projection: Projection,
    cluster: int,
) -> None:
    """Raise UnrepairableError when the projection is not what was verified, moved on by steps alone."""
    name = projection.name
    fits = bool(checkpoints) and checkpoints[0].fits(projection, cluster)
    if not fits or await connection.fetchval(_BUILT_AT, name) != verified.built_at:
        raise UnrepairableError(f"{name} was built anew meanwhile. Verify again.")
    if checkpoints[0].paused:
        raise UnrepairableError(f"{name} was paused meanwhile. First: inkfold projections resume {name}")
    if await connection.fetchval(_PARKED_SINCE, name, str(verified.snapshot)):
        raise EventParkedMeanwhileError(f"An event of {name} was parked meanwhile. Verify again.")


async def _mend(connection: Connection, compared: Compared) -> None:
    table, keys = compared.table, compared.keys
    key = await key_of(connection, table)
    columns = await columns_of(connection, table)
    delete = f"DELETE FROM {table} WHERE {{condition}}"
    insert = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM definition_{table} WHERE {{condition}}"
    if len(keys) <= _ONE_BY_ONE:
        condition = " AND ".join(f"{name} = ${number}" for number, name in enumerate(key, start=1))
        for values in keys:
            await connection.execute(delete.format(condition=condition), *values)
            await _insert(connection, insert.format(condition=condition), *values)
    else:
        condition = f"({', '.join(key)}) IN (SELECT {', '.join(key)} FROM wrong_key)"
        await _gather(connection, table, key, keys)
        await connection.execute(delete.format(condition=condition))
        await _insert(connection, insert.format(condition=condition))
        await connection.execute("DROP TABLE wrong_key")


async def _insert(connection: Connection, statement: str, *values: object) -> None:
    try:
        await connection.execute(statement, *values)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise UnrepairableError(
            f"The definition has rows that the table can't take. Mend that first: {error}"
        ) from error


async def _gather(connection: Connection, table: str, key: Sequence[str], keys: Sequence[Key]) -> None:
    """Put the keys into a table of their own, which the planner knows the size of."""
    await connection.execute(
        f"CREATE TEMPORARY TABLE wrong_key ON COMMIT DROP AS SELECT {', '.join(key)} FROM {table} WITH NO DATA"
    )
    await connection.copy_records_to_table("wrong_key", records=keys)
    await connection.execute("ANALYZE wrong_key")
