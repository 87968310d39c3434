"""Transactions that stay open for long: a command that has written, holds its transaction id, and commits much later.

They run the real commands over the first API's connections, and end with it or before: committed, rolled back, or cut.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import orjson

from app.command_store import CommandStore, Committed, Statement, Transaction
from app.commands.likes import ToggleLike, toggle_like
from app.commands.posts import EditPost, PublishPost, WrittenPost, edit_post, publish_post
from app.commands.subscriptions import ToggleSubscription, toggle_subscription
from app.errors import OutcomeUnknown, Unavailable
from app.idempotency import Once
from tests.soak.background import PATIENCE_SECONDS
from tests.soak.command import Claims, Command, clash
from tests.soak.oracle import Json, Oracle
from tests.soak.people_commands import Follow, Like
from tests.soak.post_commands import Edit, Publish
from tests.soak.screens import followers
from tests.soak.stack import Stack
from tests.soak.tally import Difference
from tests.support.one_statement import as_transaction

T = TypeVar("T")

MOST = 3

_PATIENT = "SET LOCAL idle_in_transaction_session_timeout = 0"


class _RolledBack(Exception):
    """The transaction is not to be committed."""


class _LingeringStore(CommandStore):
    """Runs one command, and commits it when told to."""

    begun: asyncio.Event
    commits: asyncio.Future[bool]

    async def transact(
        self, work: Callable[[Transaction], Awaitable[T]], *, once: Once[T] | None = None
    ) -> Committed[T]:
        async def at_length(transaction: Transaction) -> T:
            if self.begun.is_set():
                raise _RolledBack  # its connection was lost, and this would be another try
            await transaction.fetch(_PATIENT)
            value = await work(transaction)
            self.begun.set()
            if not await self.commits:
                raise _RolledBack
            return value

        return await super().transact(at_length, once=once)

    async def run(self, statement: Statement) -> Committed[Any]:
        return await as_transaction(self, statement)


@dataclass(frozen=True, slots=True)
class _Held:
    """A command whose transaction is open since that moment; whether anybody is to be notified was decided then."""

    command: Command
    moment: int
    announced: bool
    store: _LingeringStore
    running: Future[Json]

    @property
    def claims(self) -> Claims:
        return {**self.command.claims(), **self.command.locks()}


class Holds:
    """The transactions that are open."""

    def __init__(self, stack: Stack, oracle: Oracle) -> None:
        self._stack = stack
        self._oracle = oracle
        self._held: list[_Held] = []

    def forbid(self, command: Command) -> bool:
        """Say whether the command would have to wait for an open transaction."""
        wanted = {**command.claims(), **command.locks()}
        return any(clash(wanted, held.claims) for held in self._held)

    def begin(self, command: Command) -> None:
        """Let a command write, and leave its transaction open; of those that set or toggle, only those that toggle."""
        if len(self._held) == MOST or command.status(self._oracle) >= 300 or self.forbid(command):
            return
        self._oracle.now += 1
        store, running = self._stack.background.run(_begin(self._stack, command))
        announced = bool(followers(self._oracle, command.user_id))
        self._held.append(_Held(command, self._oracle.now, announced, store, running))
        self._stack.tally.fault("transaction held open")
        self._stack.tally.note(f"held open: {command}")

    def end(self, number: int, *, commit: bool) -> None:
        """End the one that the number chooses, and let the oracle know what became of it."""
        if not self._held:
            return
        held = self._held.pop(number % len(self._held))
        self._stack.background.run(_decide(held.store, commit=commit))
        try:
            body = held.running.result(PATIENCE_SECONDS)
        except (_RolledBack, Unavailable) as error:
            unknown = isinstance(error, OutcomeUnknown)
            known = held.command.truth(self._stack.look) if unknown else None
            self._stack.tally.note(f"ended by {error!r}, {'as ' + str(known) if known else 'undone'}: {held.command}")
        else:
            known = body
            self._stack.tally.note(f"committed: {held.command}")
            if not held.command.fits(self._oracle, body):
                raise Difference(f"{held.command}, held open, ended with {body}")
        if known is not None and isinstance(held.command, Publish):
            self._oracle.publish(held.command.user_id, known, moment=held.moment, announced=held.announced)
        elif known is not None:
            held.command.apply(self._oracle, known, held.moment)

    def end_all(self) -> None:
        """Roll all of them back."""
        while self._held:
            self.end(0, commit=False)


async def _begin(stack: Stack, command: Command) -> tuple[_LingeringStore, Future[Json]]:
    own: CommandStore = stack.apps[0].state.store
    store = _LingeringStore(
        own._models, cache=own._cache, doorbell=own._doorbell, pool_size=1, pool_timeout_seconds=own._timeout
    )
    store.begun = asyncio.Event()
    store.commits = asyncio.get_running_loop().create_future()
    running = stack.background.begin(_run(store, command))
    await store.begun.wait()
    return store, running


async def _decide(store: _LingeringStore, *, commit: bool) -> None:
    store.commits.set_result(commit)


async def _run(store: _LingeringStore, command: Command) -> Json:
    try:
        return await _answer(store, command)
    finally:
        store.begun.set()  # nobody waits for what failed at once


async def _answer(store: _LingeringStore, command: Command) -> Json:
    """Run the command and return what the API would have answered."""
    user_id = UUID(command.user_id)
    if isinstance(command, Publish):
        post = PublishPost(author_id=user_id, title=command.title, content=command.content)
        return _json((await publish_post(store, post)).value)
    if isinstance(command, Edit):
        change = EditPost(post_id=UUID(command.of), author_id=user_id, title=command.title, content=command.content)
        return _json((await edit_post(store, change)).value)
    if isinstance(command, Like):
        toggle = ToggleLike(post_id=UUID(command.of), user_id=user_id)
        return {"liked": (await toggle_like(store, toggle)).value}
    assert isinstance(command, Follow)
    change_of_mind = ToggleSubscription(subscriber_id=user_id, target_user_id=UUID(command.target_id))
    return {"subscribed": (await toggle_subscription(store, change_of_mind)).value}


def _json(value: WrittenPost) -> Json:
    answer: Json = orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z))
    return answer
