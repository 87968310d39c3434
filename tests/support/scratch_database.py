"""Databases with nothing in them, on the servers under test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from projections.engine.checkpoint import Connection
from tests.conftest import Servers

_numbers = count(1)


@asynccontextmanager
async def scratch_database(servers: Servers, sql: Connection) -> AsyncIterator[str]:
    """Make a database, and drop it when the block ends; its URL."""
    name = f"scratch_{next(_numbers)}"
    await sql.execute(f"CREATE DATABASE {name}")
    try:
        yield servers.postgres.dsn(name)
    finally:
        await sql.execute(f"DROP DATABASE {name} WITH (FORCE)")
