"""Opening connections for a while: closed at the end, whatever they are doing then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from projections.engine.checkpoint import Connect, Connection

_CLOSE_SECONDS: Final = 5.0


@asynccontextmanager
async def opened(connect: Connect) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """Yield a connection; what runs on it when the block is left early has been told to stop."""
    connection = await connect()
    try:
        yield connection
    finally:
        await close(connection)


async def close(connection: Connection) -> None:
    """Close a connection, which PostgreSQL may have ended meanwhile."""
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def lose_locks_when_silent(connection: Connection, *, seconds: int = 10) -> None:
    """Have PostgreSQL end the session, and with it its locks, when nothing is asked of it for so long.

    So a process that is stopped holds up nobody, and commits nothing stale when it goes on.
    """
    await connection.execute(
        f"SET idle_session_timeout = '{seconds:d}s'; SET idle_in_transaction_session_timeout = '{seconds:d}s'"
    )


async def stay_when_silent(connection: Connection) -> None:
    """Take that back, for a session that has nothing to hold."""
    await connection.execute("RESET idle_session_timeout; RESET idle_in_transaction_session_timeout")
