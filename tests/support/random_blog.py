"""People who do something at random, and transactions that stay open or are rolled back at random.

Every choice comes from a seeded generator: the same seed makes the same choices, though not the same interleaving.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from app.command_store import CommandStore, Committed, Statement, Transaction
from app.commands.likes import (
    LikePost,
    ToggleLike,
    UnlikePost,
    like_post,
    toggle_like,
    unlike_post,
)
from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    SendNotifications,
    read_all_notifications,
    read_notification,
    send_notifications,
)
from app.commands.posts import DeletePost, EditPost, PublishPost, delete_post, edit_post, publish_post
from app.commands.subscriptions import ToggleSubscription, toggle_subscription
from app.commands.users import RegisterUser, register_user
from app.errors import NotFound
from app.idempotency import Once
from tests.support.one_statement import as_transaction

T = TypeVar("T")

_UNREAD = "SELECT id, user_id FROM notifications WHERE NOT is_read ORDER BY id LIMIT 20"


class RolledBack(Exception):
    """A transaction changed its mind."""


class LingeringStore(CommandStore):
    """The command store, whose transactions at random stay open, start again from a savepoint, or are rolled back."""

    random: Random
    linger: Callable[[], Awaitable[None]]

    async def transact(
        self, work: Callable[[Transaction], Awaitable[T]], *, once: Once[T] | None = None
    ) -> Committed[T]:
        chance = self.random.random()

        async def at_random(transaction: Transaction) -> T:
            if chance < 0.1:
                await transaction.fetch("SAVEPOINT here")
                await work(transaction)
                await transaction.fetch("ROLLBACK TO SAVEPOINT here")
                transaction.events.clear()
            value = await work(transaction)
            if chance < 0.3:
                await self.linger()
            if 0.2 < chance < 0.4:
                raise RolledBack
            return value

        return await super().transact(at_random, once=once)

    async def run(self, statement: Statement) -> Committed[Any]:
        return await as_transaction(self, statement)


@dataclass(slots=True)
class Population:
    """Who and what there is; everyone at random shares it."""

    users: list[UUID] = field(default_factory=list)
    posts: list[tuple[UUID, UUID]] = field(default_factory=list)


@dataclass(slots=True)
class Someone:
    """Does one thing after the other."""

    name: str
    store: CommandStore
    population: Population
    random: Random
    done: int = 0

    async def act(self) -> None:
        """Do something; what can't be done because someone else was faster, or is rolled back, is left."""
        action = self.random.choices(_ACTIONS, _WEIGHTS)[0]
        try:
            await action(self)
        except (NotFound, RolledBack):
            return
        self.done += 1

    async def register(self) -> None:
        name = f"{self.name}-{self.random.getrandbits(48):x}"
        command = RegisterUser(username=name, email=f"{name}@example.org", hashed_password="hash")
        self.population.users.append((await register_user(self.store, command)).value.id)

    async def publish(self) -> None:
        author = self._user()
        command = PublishPost(author_id=author, title=self._words(3), content=self._words(90))
        post = (await publish_post(self.store, command)).value
        self.population.posts.append((post.id, author))

    async def edit(self) -> None:
        post, author = self._post()
        title = self._words(2) if self.random.random() < 0.5 else None
        await edit_post(self.store, EditPost(post_id=post, author_id=author, title=title, content=self._words(5)))

    async def delete(self) -> None:
        post, author = self._post()
        await delete_post(self.store, DeletePost(post_id=post, author_id=author))
        self.population.posts = [known for known in self.population.posts if known[0] != post]

    async def like(self) -> None:
        await like_post(self.store, LikePost(post_id=self._post()[0], user_id=self._user()))

    async def unlike(self) -> None:
        await unlike_post(self.store, UnlikePost(post_id=self._post()[0], user_id=self._user()))

    async def toggle_like(self) -> None:
        await toggle_like(self.store, ToggleLike(post_id=self._post()[0], user_id=self._user()))

    async def toggle_subscription(self) -> None:
        subscriber, target = self.random.sample(self.population.users, 2)
        await toggle_subscription(self.store, ToggleSubscription(subscriber_id=subscriber, target_user_id=target))

    async def announce(self) -> None:
        await send_notifications(self.store, SendNotifications(chunk=self.random.randint(1, 3)))

    async def read_one(self) -> None:
        async def look(transaction: Transaction) -> list[dict[str, UUID]]:
            return await transaction.fetch(_UNREAD)

        unread = (await self.store.transact(look)).value
        if unread:
            chosen = self.random.choice(unread)
            await read_notification(
                self.store, ReadNotification(notification_id=chosen["id"], user_id=chosen["user_id"])
            )

    async def read_all(self) -> None:
        await read_all_notifications(self.store, ReadAllNotifications(user_id=self._user()))

    def _user(self) -> UUID:
        return self.random.choice(self.population.users)

    def _post(self) -> tuple[UUID, UUID]:
        """Some post; recent ones more often, and those that stand first are liked by many."""
        if not self.population.posts:
            raise NotFound
        return self.random.choice(self.population.posts[:3] + self.population.posts[-6:])

    def _words(self, number: int) -> str:
        return " ".join(self.random.choices(("ink", "fold", "page", "margin", "grüße", "誤字"), k=number))


_WEIGHTED: dict[Callable[[Someone], Awaitable[None]], int] = {
    Someone.register: 3,
    Someone.publish: 10,
    Someone.edit: 8,
    Someone.delete: 7,
    Someone.like: 22,
    Someone.unlike: 10,
    Someone.toggle_like: 18,
    Someone.toggle_subscription: 10,
    Someone.announce: 14,
    Someone.read_one: 6,
    Someone.read_all: 3,
}
_ACTIONS = list(_WEIGHTED)
_WEIGHTS = list(_WEIGHTED.values())
