"""Projections of something that is no blog, beside the blog's: built for a test, and gone without a trace after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.db import WORKER_ROLE
from projections.engine.checkpoint import Connect, Connection
from projections.engine.definitions import install_definitions
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild


@asynccontextmanager
async def built(sql: Connection, connect: Connect, projection: Projection, tables: str) -> AsyncIterator[Projection]:
    """Make the tables that these statements create, and build the projection; drop everything at the end."""
    known = await _tables(sql)
    try:
        await sql.execute(tables)
        for name in await _tables(sql) - known:
            await sql.execute(f"ALTER TABLE {name} OWNER TO {WORKER_ROLE}")
        await install_definitions(sql, [projection])
        await rebuild(connect, [projection])
        yield projection
    finally:
        for table in projection.tables:
            await sql.execute(f"DROP VIEW IF EXISTS {table.view}")
        for name in await _tables(sql) - known:
            await sql.execute(f"DROP TABLE {name}")
        for name in ("checkpoint", "verification", "parked_event"):
            await sql.execute(f"DELETE FROM {name} WHERE projection = $1", projection.name)


async def _tables(sql: Connection) -> set[str]:
    return {row[0] for row in await sql.fetch("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'")}
