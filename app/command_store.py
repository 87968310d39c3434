"""The transaction that a command runs in: normalized rows and events together, or neither.

Commands call `transact`; it retries what PostgreSQL asks to be retried, and after the commit remembers the user's
consistency token and rings the doorbell. It never reads a read_* table.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import asyncpg
import orjson
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError, IntegrityError
from tortoise.transactions import in_transaction  # noqa: TID251 - the one place that may

from app.cache import Cache
from app.connection_loss import CONNECTION_LOST
from app.db import bind_models, expire_connections
from app.doorbell import ANNOUNCE, FOLD, Doorbell
from app.errors import OutcomeUnknown, Overloaded, Unauthenticated, Unavailable
from app.events import Event, NotificationsSent, PostPublished

log = logging.getLogger(__name__)

T = TypeVar("T")

_APPEND = """
INSERT INTO event (type, subject_id, actor_id, payload)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::jsonb[])
RETURNING tx::text
"""

_TRIES = 4
_RETRYABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_CONNECTION_LOST: Final[tuple[type[Exception], ...]] = (*CONNECTION_LOST, DBConnectionError)


class _ConnectionLostError(Exception):
    """The connection broke before the commit was asked for, so nothing has happened."""


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What a command answers: its value, and the token by which a query knows that it reflects it.

    `token` is None when nothing changed.
    """

    value: T
    token: str | None


@dataclass(slots=True)
class Transaction:
    """What a command works with: the connection of its transaction, and the events that it brings about."""

    connection: TransactionalDBClient
    events: list[Event] = field(default_factory=list)

    def record(self, event: Event) -> None:
        """Have `event` appended as the transaction's last statement."""
        self.events.append(event)

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement and return its rows, RETURNING included."""
        return await self.connection.execute_query_dict(sql, list(values))


class CommandStore:
    """Runs commands' transactions, at most `pool_size` at once; one per process."""

    def __init__(
        self,
        models: TortoiseContext,
        *,
        cache: Cache,
        doorbell: Doorbell,
        pool_size: int,
        pool_timeout_seconds: float,
    ) -> None:
        self._models = models
        self._cache = cache
        self._doorbell = doorbell
        self._places = asyncio.Semaphore(pool_size)
        self._timeout = pool_timeout_seconds

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> Committed[T]:
        """Run `work` in a transaction and commit it; errors of `work` roll it back and reach the caller.

        Raises Overloaded when no connection becomes free in time, Unavailable when PostgreSQL can't be reached, and
        OutcomeUnknown when the connection broke during the commit.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                # In a task of its own: a BEGIN that fails leaves Tortoise's context variable broken for its task,
                # and a request that is cancelled must not leave a connection half-way.
                return await asyncio.shield(asyncio.create_task(self._attempt(work)))
            except (*_RETRYABLE, _ConnectionLostError) as error:
                if attempt == _TRIES:
                    raise Unavailable from error
                log.info("Trying a transaction again after %s.", type(error).__name__)
        raise AssertionError("unreachable")

    async def _attempt(self, work: Callable[[Transaction], Awaitable[T]]) -> Committed[T]:
        try:
            await asyncio.wait_for(self._places.acquire(), self._timeout)
        except TimeoutError as error:
            raise Overloaded from error
        try:
            committed, events = await self._run(work)
        finally:
            self._places.release()
        if committed.token is not None:
            await self._tell(events, committed.token)
        return committed

    async def _run(self, work: Callable[[Transaction], Awaitable[T]]) -> tuple[Committed[T], Sequence[Event]]:
        bind_models(self._models)
        done = False
        try:
            async with in_transaction() as connection:
                transaction = Transaction(connection)
                value = await work(transaction)
                token = await _append(transaction)
                done = True
        except _CONNECTION_LOST as error:
            log.warning("Lost PostgreSQL in a command: %s", error)
            if done:
                raise OutcomeUnknown from error
            await expire_connections(self._models)
            raise _ConnectionLostError from error
        except IntegrityError as error:
            if isinstance(error.__cause__, asyncpg.ForeignKeyViolationError):
                raise Unauthenticated("This account does not exist any more. Register again.") from error
            raise
        except asyncpg.QueryCanceledError as error:
            raise Overloaded from error
        return Committed(value, token), transaction.events

    async def _tell(self, events: Sequence[Event], token: str) -> None:
        self._doorbell.ring(FOLD)
        if any(isinstance(event, PostPublished) for event in events):
            self._doorbell.ring(ANNOUNCE)
        for actor_id in {event.actor_id for event in events if not isinstance(event, NotificationsSent)}:
            await self._cache.remember_token(actor_id, token)


async def _append(transaction: Transaction) -> str | None:
    """Append the events; the aggregate's row is locked by now, so events of one row commit in their order."""
    events = transaction.events
    if not events:
        return None
    rows = await transaction.fetch(
        _APPEND,
        [event.type for event in events],
        [event.subject_id for event in events],
        [event.actor_id for event in events],
        [orjson.dumps(event.payload, default=str).decode() for event in events],
    )
    return str(rows[0]["tx"])
