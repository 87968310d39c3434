"""The errors by which PostgreSQL says that a connection is gone or can't be had. All sides agree on them here."""

from typing import Final

import asyncpg

CONNECTION_LOST: Final[tuple[type[Exception], ...]] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that was idle when PostgreSQL ended it
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
)


def ended_by_postgres(error: Exception) -> bool:
    """Say whether PostgreSQL said itself that it ended the session; it never says so after a commit."""
    return any(isinstance(said, asyncpg.AdminShutdownError) for said in (error, error.__cause__))
