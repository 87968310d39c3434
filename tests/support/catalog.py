"""A database's schema as PostgreSQL's catalogs tell it, to be compared with another's."""

import asyncpg

from projections.engine.checkpoint import Connection

Schema = dict[str, list[tuple[object, ...]]]

_PARTS = {
    "relations": """
        SELECT c.relname, c.relkind, c.relpersistence, c.reloptions, c.relacl::text,
            obj_description(c.oid, 'pg_class')
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace
    """,
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
            a.attstorage, pg_get_expr(d.adbin, d.adrelid), a.attacl::text
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "types": "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e')",
}


async def schema_of(connection: Connection) -> Schema:
    """Return everything that a migration may have made in schema public."""
    return {
        part: sorted((tuple(row) for row in await connection.fetch(query)), key=str) for part, query in _PARTS.items()
    }


async def schema_at(dsn: str) -> Schema:
    """Return a database's schema."""
    connection = await asyncpg.connect(dsn)
    try:
        return await schema_of(connection)
    finally:
        await connection.close()
