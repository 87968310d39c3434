"""What PostgreSQL's catalog says of tables: columns, types and keys. Rebuild, verify and addition ask it."""

from projections.engine.checkpoint import Connection

_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
"""

_TYPED = """
SELECT array_agg(quote_ident(attname) || '::' || format_type(atttypid, atttypmod) ORDER BY attnum)
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
"""

_KEY = """
SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum)
FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = $1::text::regclass AND i.indisprimary
"""


async def columns_of(connection: Connection, relation: str) -> str:
    """Return a table's or view's column names, quoted and joined by commas, in their order."""
    return str(await connection.fetchval(_COLUMNS, relation))


async def typed_columns(connection: Connection, table: str) -> list[str]:
    """Return an expression for each of a table's columns, that has the column's type whatever it reads from."""
    return list(await connection.fetchval(_TYPED, table))


async def key_of(connection: Connection, table: str) -> list[str]:
    """Return the names of a table's primary key columns, quoted."""
    return list(await connection.fetchval(_KEY, table))
