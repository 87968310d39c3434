"""How a connection that is gone, or can't be had, is known, and how one is closed. All sides agree on it here."""

import contextlib
import select
from typing import Any, Final

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


def ended_while_idle(connection: Any) -> bool:
    """Say whether PostgreSQL has ended an asyncpg connection, although the event loop has not come to see it.

    What an idle connection has to say unasked is its end. Sent over it, a statement would be lost, and nobody could say
    for certain that it was not done.
    """
    unread = select.poll()
    unread.register(connection._transport.get_extra_info("socket"), select.POLLIN)  # noqa: SLF001 - no other way there
    return bool(unread.poll(0))


class ReplaceableConnection(asyncpg.Connection):
    """One of a pool that may be told to have new ones: closing it is fine, too, when nobody is at the other end.

    Such a pool leaves the closing of the old ones to tasks that nobody waits for, and what they fail with to the log.
    """

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """Say goodbye, if there is anybody to say it to; either way, it is closed."""
        with contextlib.suppress(ConnectionError):
            await super().close(timeout=timeout)
