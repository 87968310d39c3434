"""Rebuild: fill a projection's read tables from their definitions at one snapshot and continue from there.

The runner calls it for a projection that is new, has a new version, or was restored into another cluster.
"""

from collections.abc import Sequence

from projections.engine.checkpoint import Connection, current_snapshot, lock_waiting, reset_checkpoint, unlock
from projections.engine.projection import Projection, ReadTable
from projections.engine.snapshot import Snapshot

_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
"""

_KEY = """
SELECT array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = $1::text::regclass AND i.indisprimary
"""


async def rebuild(connection: Connection, projections: Sequence[Projection], *, system_identifier: int) -> Snapshot:
    """Make the read tables equal to their definitions in one transaction; readers see the old rows until it commits.

    Return the snapshot that the tables now reflect.
    """
    names = [projection.name for projection in projections]
    await lock_waiting(connection, names)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            snapshot = await current_snapshot(connection)
            for projection in projections:
                for table in projection.tables:
                    await _fill(connection, table)
                await reset_checkpoint(connection, projection, snapshot=snapshot, system_identifier=system_identifier)
        return snapshot
    finally:
        if not connection.is_closed():
            await unlock(connection, names)


async def columns_of(connection: Connection, relation: str) -> str:
    """Return a table's or view's column names, quoted and joined by commas, in their order."""
    return str(await connection.fetchval(_COLUMNS, relation))


async def key_of(connection: Connection, table: str) -> list[str]:
    """Return the names of a table's primary key columns."""
    return list(await connection.fetchval(_KEY, table))


async def _fill(connection: Connection, table: ReadTable) -> None:
    columns = await columns_of(connection, table.view)
    await connection.execute(f"DELETE FROM {table.name}")
    await connection.execute(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {table.view}")
