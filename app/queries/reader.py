"""The read side's only access to PostgreSQL: statements under the reader role, read only.

A type of its own, so that nobody hands a query a connection that could write.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import asyncpg

from app.connection_loss import CONNECTION_LOST
from app.errors import Overloaded, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_TRIES = 3


@dataclass(slots=True)
class Openings:
    """Counts the connections that a pool has opened, as its `init`."""

    count: int = 0

    async def note(self, _: object) -> None:
        """Count one more."""
        self.count += 1


class Reader:
    """Runs statements over a pool. Reading twice harms nobody, so a lost connection is tried again."""

    def __init__(self, pool: Pool, *, timeout_seconds: float, openings: Openings | None = None) -> None:
        self._pool = pool
        self._timeout = timeout_seconds
        self._openings = openings or Openings()
        self._losses = 0

    @property
    def era(self) -> int:
        """A number that grows when a connection was lost or a new one opened.

        What was known of the database before may not hold after: it may have crashed in between.
        """
        return self._losses + self._openings.count

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """Return all rows."""
        return await self._run(lambda connection: connection.fetch(sql, *values))

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        """Return the first row, or None."""
        return await self._run(lambda connection: connection.fetchrow(sql, *values))

    async def fetchval(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, or None."""
        return await self._run(lambda connection: connection.fetchval(sql, *values))

    @asynccontextmanager
    async def held(self) -> AsyncIterator["Reader"]:
        """Give a reader that keeps to one connection, and so to one life of one server.

        It tries nothing again, and raises what asyncpg raises.
        """
        async with self._pool.acquire(timeout=self._timeout) as connection:
            try:
                yield _Held(self._pool, connection)
            except asyncio.CancelledError:
                connection.terminate()  # giving it back would wait for a server that hangs
                raise

    async def _run(self, statement: Callable[[Any], Awaitable[T]]) -> T:
        lost: Exception | None = None
        for _ in range(_TRIES):
            try:
                async with self._pool.acquire(timeout=self._timeout) as connection:
                    return await statement(connection)
            except TimeoutError as error:
                raise Overloaded from error
            except asyncpg.QueryCanceledError as error:
                raise Overloaded("The query took too long. Ask for less, or try again.") from error
            except CONNECTION_LOST as error:
                lost = error
                self._losses += 1
                await self._pool.expire_connections()  # the others are as dead
        log.warning("Can't read from PostgreSQL: %s", lost)
        raise Unavailable from lost


class _Held(Reader):
    def __init__(self, pool: Pool, connection: Any) -> None:
        super().__init__(pool, timeout_seconds=0)
        self._connection = connection

    async def _run(self, statement: Callable[[Any], Awaitable[T]]) -> T:
        return await statement(self._connection)
