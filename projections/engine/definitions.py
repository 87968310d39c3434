"""The definitions as views of the database: installed by the migration run, read by folds, rebuild and verify."""

from collections.abc import Iterable

from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection, ReadTable

_FINGERPRINT = """
SELECT d.description
FROM pg_class c
LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
WHERE c.oid = to_regclass($1) AND c.relkind = 'v'
"""

_VIEWS = r"SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v' AND relname LIKE 'definition\_read\_%'"


# Folds and rebuilds run as the owner of the tables, who need not own what the views read.
_OWNER = "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = to_regclass($1)"


async def install_definitions(connection: Connection, projections: Iterable[Projection]) -> list[str]:
    """Make every definition's view say what its file says; return the names of the views that changed."""
    changed = []
    async with connection.transaction():
        for projection in projections:
            for table in projection.tables:
                if not await is_installed(connection, table):
                    await _install(connection, table)
                    changed.append(table.view)
    return changed


async def drop_definitions(connection: Connection) -> None:
    """Drop the views, so that a migration may change the tables below them; install them again afterwards."""
    for row in await connection.fetch(_VIEWS):
        await connection.execute(f"DROP VIEW {row[0]}")


async def is_installed(connection: Connection, table: ReadTable) -> bool:
    """Say whether the table's view says what this release's file says."""
    return bool(await connection.fetchval(_FINGERPRINT, table.view) == table.fingerprint)


async def _install(connection: Connection, table: ReadTable) -> None:
    await connection.execute(f"DROP VIEW IF EXISTS {table.view}")
    await connection.execute(f"CREATE VIEW {table.view} AS {table.definition}")
    await connection.execute(f"COMMENT ON VIEW {table.view} IS '{table.fingerprint}'")
    if owner := await connection.fetchval(_OWNER, table.name):
        await connection.execute(f"GRANT SELECT ON {table.view} TO {owner}")
