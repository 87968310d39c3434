"""Adoption: what to do with a log and checkpoints that a dump brought from another database cluster.

Transaction ids belong to one cluster: an event's `tx` and a checkpoint's snapshot mean nothing in another, and would
hide events there, or show them twice. The rebuild calls it first; everything is then built from the definitions.
"""

import logging

from projections.engine.checkpoint import Connection
from projections.engine.shadow import shadow_schemas

log = logging.getLogger(__name__)

# A copy of a cluster has its identifier, and may not have come as far as the cluster that the dump is from.
_IS_FOREIGN = "(system_identifier <> $1 OR pg_snapshot_xmax(snapshot) > pg_snapshot_xmax(pg_current_snapshot()))"
_FOREIGN = f"SELECT EXISTS (SELECT FROM checkpoint WHERE {_IS_FOREIGN})"
_NATIVE = f"SELECT EXISTS (SELECT FROM checkpoint WHERE NOT {_IS_FOREIGN})"
_FORGET = f"DELETE FROM checkpoint WHERE {_IS_FOREIGN}"


async def adopt(connection: Connection, system_identifier: int) -> bool:
    """Forget the log and the checkpoints of another cluster, if there are any; return whether there were.

    In one snapshot: what it sees is in the normalized tables, from which each projection will be built later. What
    it does not see yet has been written in this cluster, stays in the log, and is folded.
    """
    if not await connection.fetchval(_FOREIGN, system_identifier):
        return False
    log.warning("The checkpoints are of another database cluster: a dump was restored. Building everything anew.")
    for schema in await shadow_schemas(connection):
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
    async with connection.transaction(isolation="repeatable_read"):
        if not await connection.fetchval(_NATIVE, system_identifier):
            await connection.execute("DELETE FROM event")
            await connection.execute("DELETE FROM parked_event")
        await connection.execute(_FORGET, system_identifier)
    return True
