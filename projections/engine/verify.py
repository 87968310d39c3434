"""Verify: compare read tables with their definitions at one snapshot, and mend the rows that differ.

The CLI and the tests call it. It folds what is pending first, in the same transaction, so a difference is a real one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from projections.engine.checkpoint import Connection, lock_waiting, read_checkpoints, unlock
from projections.engine.projection import Projection, ReadTable
from projections.engine.rebuild import columns_of, key_of
from projections.engine.step import fold_pending

#: No step has more events: verify folds everything that is pending at once.
_UNBOUNDED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not as its definition says; `expected` or `found` is None where there is no such row."""

    table: str
    key: dict[str, Any]
    expected: dict[str, Any] | None
    found: dict[str, Any] | None


async def verify(
    connection: Connection,
    projections: Sequence[Projection],
    *,
    system_identifier: int,
    repair: bool = False,
    sample: int = 100,
) -> list[Difference]:
    """Return up to `sample` differences per table, at one snapshot; with `repair`, mend all of them in the same one.

    Commands and queries go on meanwhile. Raises LookupError for a projection that was never built.
    """
    by_name = {projection.name: projection for projection in projections}
    await lock_waiting(connection, by_name)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(connection, by_name, limit=_UNBOUNDED)
            ready = {c.projection for c in standing.checkpoints if c.fits(by_name[c.projection], system_identifier)}
            if missing := by_name.keys() - ready:
                raise LookupError(f"Not built yet: {', '.join(sorted(missing))}. Start a worker, which builds them.")
            await fold_pending(connection, by_name, standing)
            differences: list[Difference] = []
            for projection in projections:
                for table in projection.tables:
                    found = await _differences(connection, table, sample)
                    differences += found
                    if found and repair:
                        await _mend(connection, table)
            return differences
    finally:
        if not connection.is_closed():
            await unlock(connection, by_name)


async def _differences(connection: Connection, table: ReadTable, sample: int) -> list[Difference]:
    columns = await columns_of(connection, table.view)
    key = await key_of(connection, table.name)
    rows = await connection.fetch(f"""
        WITH expected AS (
            (SELECT {columns} FROM {table.view}) EXCEPT (SELECT {columns} FROM {table.name})
        ),
        found AS (
            (SELECT {columns} FROM {table.name}) EXCEPT (SELECT {columns} FROM {table.view})
        )
        SELECT to_jsonb(e.*)::text AS expected, to_jsonb(f.*)::text AS found
        FROM expected e
        FULL JOIN found f USING ({", ".join(key)})
        LIMIT {sample:d}
    """)
    return [_difference(table.name, key, row["expected"], row["found"]) for row in rows]


def _difference(table: str, key: Sequence[str], expected: str | None, found: str | None) -> Difference:
    wanted = orjson.loads(expected) if expected else None
    seen = orjson.loads(found) if found else None
    row = wanted or seen or {}
    return Difference(table=table, key={name: row[name] for name in key}, expected=wanted, found=seen)


async def _mend(connection: Connection, table: ReadTable) -> None:
    columns = await columns_of(connection, table.view)
    key = await key_of(connection, table.name)
    same_key = " AND ".join(f"r.{name} = w.{name}" for name in key)
    await connection.execute(f"""
        WITH wrong AS (
            (SELECT {columns} FROM {table.name}) EXCEPT (SELECT {columns} FROM {table.view})
        )
        DELETE FROM {table.name} r USING wrong w WHERE {same_key}
    """)
    await connection.execute(f"""
        INSERT INTO {table.name} ({columns})
        (SELECT {columns} FROM {table.view}) EXCEPT (SELECT {columns} FROM {table.name})
    """)
