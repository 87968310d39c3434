"""Addition: read rows that come with the normalized rows they derive from, in one transaction and without events.

For bulk loads, where an event per row would cost more than the row. `hold_rebuilds` first of all, `add_rows` for keys
of the transaction's own, `hold_steps` before it touches what others count in too.

Why this stays exact while everything else runs. The transaction, T, makes entities with fresh keys. Until it commits
nobody else knows these keys, so no event is about them and no step, rebuild or verify sees or touches their rows;
what T adds follows from T's own rows alone. Rows that stand for all entities (totals) are the exception: T changes
them by difference, last, holding every projection's lock, which steps take before their snapshot. So whatever
snapshot S the checkpoints stand at when T commits, each table goes from definition(S) to definition(S and T) at once,
and what S has not seen is folded later on top: for counters in any order, for rows by their own keys. A rebuild would
fill tables that lack T's rows, and no event would bring them: so none runs, and none is left half-way, from T's first
statement to its end. A verification holds the locks between its two snapshots, so T commits before both or after.
T has no event that a fold takes; one that none takes makes the next step move the checkpoints past T, and whoever
waits for that, or keeps what was read, learns of it as of any other step.
"""

from collections.abc import Iterable

from projections.engine.catalog import columns_of, key_of
from projections.engine.checkpoint import Connection
from projections.engine.locks import BUILDING, LOCK_CLASS
from projections.engine.projection import Projection, ReadTable
from projections.engine.shadow import shadow_schemas

# Released by the commit, after which any step's snapshot sees the transaction.
_HOLD = "SELECT pg_advisory_xact_lock($1, hashtext($2))"


async def hold_rebuilds(connection: Connection) -> None:
    """Wait for a running rebuild to end and let none begin before the running transaction has ended."""
    await connection.execute(_HOLD, LOCK_CLASS, BUILDING)
    for schema in await shadow_schemas(connection):
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")


async def add_rows(connection: Connection, table: ReadTable, *, where: str, values: Iterable[object]) -> int:
    """Insert the rows of the definition that satisfy `where`; return how many.

    Their keys must belong to entities that the running transaction has made.
    """
    columns = await columns_of(connection, table.view)
    order = ", ".join(await key_of(connection, table.name))  # an index grows fastest in its own order
    status = await connection.execute(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {table.view} WHERE {where} ORDER BY {order}",
        *values,
    )
    return int(status.rpartition(" ")[2])


async def hold_steps(connection: Connection, projections: Iterable[Projection]) -> None:
    """Wait for running steps to end and let none begin before the running transaction has ended."""
    for name in sorted(projection.name for projection in projections):
        await connection.execute(_HOLD, LOCK_CLASS, name)
