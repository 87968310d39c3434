"""The transaction that a command runs in: normalized rows and events together, or neither.

A command that is one statement is run by `run`, in one round trip; any other, and whatever has an idempotency key, by
`transact`. Both then remember the user's consistency token and ring the doorbell. Neither ever reads a read_* table.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NoReturn, TypeVar
from uuid import UUID

import asyncpg
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError
from tortoise.transactions import in_transaction  # noqa: TID251 - the one place that may

from app.cache import Cache
from app.connection_loss import CONNECTION_LOST, ended_by_postgres, ended_while_idle
from app.db import bind_models, expire_connections
from app.doorbell import ANNOUNCE, FOLD, Doorbell
from app.errors import OutcomeUnknown, Overloaded
from app.event_log import append
from app.events import Event, NotificationsSent, PostPublished
from app.idempotency import ANYONE, Once
from app.retries import ConnectionLostError, persist

log = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECTION_LOST: Final[tuple[type[Exception], ...]] = (*CONNECTION_LOST, DBConnectionError)


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
    #: Of events that statements have appended by themselves.
    token: str | None = None
    actors: set[UUID] = field(default_factory=set)

    def record(self, event: Event) -> None:
        """Have `event` appended as the transaction's last statement."""
        self.events.append(event)

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement and return its rows, RETURNING included."""
        return await self.connection.execute_query_dict(sql, list(values))

    async def run(self, statement: "Statement") -> Committed[Mapping[str, Any] | None]:
        """Run a command that is one statement as a part of this one, and return its row."""
        rows = await self.fetch(statement.sql, *statement.values)
        row = rows[0] if rows else None
        token = row["token"] if row else None
        if token is not None:
            self.token = token
            self.actors.add(statement.actor_id)
        return Committed(row, token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A whole command in one statement, which PostgreSQL commits by itself: it changes rows and appends its event.

    It returns at most one row, whose `token` is pg_current_xact_id(), or NULL when nothing changed.
    """

    sql: str
    values: tuple[Any, ...]
    #: Who did it, and is to see it.
    actor_id: UUID
    #: Whether twice is as good as once: when nobody knows what became of it, it may be sent again.
    repeatable: bool


@dataclass(frozen=True, slots=True)
class _Done(Generic[T]):
    """What is committed, and who and what is to be told of it."""

    value: T
    token: str | None
    actors: Collection[UUID]
    bells: Collection[str] = (FOLD,)


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

    async def transact(
        self, work: Callable[[Transaction], Awaitable[T]], *, once: Once[T] | None = None
    ) -> Committed[T]:
        """Run `work` in a transaction and commit it; errors of `work` roll it back and reach the caller.

        With `once`, answer what it answered if it has been committed before. Raises Overloaded when no connection
        becomes free in time, Unavailable when PostgreSQL can't be reached, and OutcomeUnknown when the connection broke
        during the commit; what is done once is tried again then.
        """
        return await persist(lambda: self._attempt(lambda: self._transact(work, once)))

    async def run(self, statement: Statement) -> Committed[asyncpg.Record | None]:
        """Run a command that is one statement and return its row; raises what `transact` raises."""
        return await persist(lambda: self._attempt(lambda: self._execute(statement)))

    async def _attempt(self, attempt: Callable[[], Awaitable[_Done[T]]]) -> Committed[T]:
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError as error:
            raise Overloaded from error
        try:
            done = await attempt()
        finally:
            self._places.release()
        if done.token is not None:
            await self._tell(done, done.token)
        return Committed(done.value, done.token)

    async def _transact(self, work: Callable[[Transaction], Awaitable[T]], once: Once[T] | None) -> _Done[T]:
        bind_models(self._models)
        committing = False
        try:
            async with in_transaction() as connection:
                done = await _do(Transaction(connection), work, once)
                committing = True
        except _CONNECTION_LOST as error:
            await self._lost(error, undone=not committing, repeatable=once is not None)
        return done

    async def _execute(self, statement: Statement) -> _Done[asyncpg.Record | None]:
        sent = False
        try:
            async with self._models.db().acquire_connection() as connection:
                if not statement.repeatable and ended_while_idle(connection):
                    raise asyncpg.ConnectionDoesNotExistError("it was ended while it lay idle")
                sent = True
                row = await connection.fetchrow(statement.sql, *statement.values)
        except _CONNECTION_LOST as error:
            await self._lost(error, undone=not sent or ended_by_postgres(error), repeatable=statement.repeatable)
        return _Done(row, row["token"] if row else None, actors=(statement.actor_id,))

    async def _lost(self, error: Exception, *, undone: bool, repeatable: bool = False) -> NoReturn:
        """Have the command tried again if it is undone for certain, or does no harm when it is done twice."""
        log.warning("Lost PostgreSQL in a command: %s", error)
        if not undone:
            # It may be done, and nobody has its token: until that is long ago, reads look for what is committed.
            self._cache.lapse()
        if not (undone or repeatable):
            raise OutcomeUnknown from error
        await expire_connections(self._models)
        raise ConnectionLostError from error

    async def _tell(self, done: _Done[Any], token: str) -> None:
        for bell in done.bells:
            self._doorbell.ring(bell)
        for actor_id in done.actors:
            await self._cache.remember_token(actor_id, token)


async def _do(transaction: Transaction, work: Callable[[Transaction], Awaitable[T]], once: Once[T] | None) -> _Done[T]:
    if once is not None and (first := await once.recall(transaction.fetch)) is not None:
        return _Done(first.value, first.token, actors={once.sender_id} - {ANYONE})
    value = await work(transaction)
    events = transaction.events
    if once is not None:
        await once.keep(transaction.fetch, value, changed=bool(events) or transaction.token is not None)
    token = await append(transaction.fetch, events) or transaction.token
    announced = any(isinstance(event, PostPublished) for event in events)
    actors = {event.actor_id for event in events if not isinstance(event, NotificationsSent)}
    return _Done(value, token, actors=actors | transaction.actors, bells=(FOLD, ANNOUNCE) if announced else (FOLD,))
