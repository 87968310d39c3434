"""Releases side by side: which projections this release must build, and whether it may. Worker and rebuild ask."""

from collections.abc import Sequence

from projections.engine.checkpoint import Connection, read_checkpoints, system_identifier
from projections.engine.definitions import is_installed
from projections.engine.projection import Projection
from projections.engine.shadow import NotSwappableError


async def unbuilt(connection: Connection, projections: Sequence[Projection]) -> list[Projection]:
    """Return the projections whose tables are not what this release makes of them, and not a later one either."""
    cluster = await system_identifier(connection)
    by_name = {projection.name: projection for projection in projections}
    standing = await read_checkpoints(connection, by_name, limit=1)
    built = {
        checkpoint.projection
        for checkpoint in standing.checkpoints
        if checkpoint.system_identifier == cluster and checkpoint.version >= by_name[checkpoint.projection].version
    }
    return [projection for projection in projections if projection.name not in built]


async def require_present_release(
    connection: Connection, projections: Sequence[Projection], cluster: int, *, over_later: bool
) -> None:
    """Raise NotSwappableError when the database or the tables are those of another release."""
    by_name = {projection.name: projection for projection in projections}
    for table in (table for projection in projections for table in projection.tables):
        if not await is_installed(connection, table):
            raise NotSwappableError(
                f"The database has another release's definition of {table.name}. Migrate it to this release, or "
                "rebuild with the one that it was migrated to."
            )
    for checkpoint in (await read_checkpoints(connection, by_name, limit=1)).checkpoints:
        later = checkpoint.version > by_name[checkpoint.projection].version
        if later and checkpoint.system_identifier == cluster and not over_later:
            raise NotSwappableError(
                f"The tables of {checkpoint.projection} were built by a later release (version {checkpoint.version}). "
                "Rebuild with that one."
            )
