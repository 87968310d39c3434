"""People who change the blog without pause by the commands themselves, in this process; not over HTTP."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from app.cache import Cache
from app.command_store import CommandStore
from app.commands.likes import ToggleLike, toggle_like
from app.commands.notifications import ReadAllNotifications, read_all_notifications
from app.commands.posts import DeletePost, EditPost, PublishPost, delete_post, edit_post, publish_post
from app.commands.subscriptions import ToggleSubscription, toggle_subscription
from app.commands.users import RegisterUser, register_user
from app.db import open_commands
from app.errors import NotFound
from app.redis_client import open_redis
from app.settings import Settings
from loadtests.engine.own_system import ringable
from projections.engine.checkpoint import Connection, system_identifier


@dataclass(slots=True, kw_only=True)
class Crowd:
    """People and posts that all writers know of, and how many commands went through."""

    store: CommandStore
    chance: random.Random
    people: list[UUID] = field(default_factory=list)
    posts: list[tuple[UUID, UUID]] = field(default_factory=list)
    done: int = 0
    failures: list[str] = field(default_factory=list)

    async def people_and_posts(self, number: int) -> None:
        """Register people, each with a post."""
        for each in range(number):
            name = f"writer-{each}"
            command = RegisterUser(username=name, email=f"{name}@example.org", hashed_password="none")  # noqa: S106
            self.people.append((await register_user(self.store, command)).value.id)
            await self._publish()

    @asynccontextmanager
    async def writing(self, number: int) -> AsyncIterator[None]:
        """Have so many write until the block ends; what stopped one of them before is noted as a failure."""
        writers = [asyncio.create_task(self._write()) for _ in range(number)]
        try:
            yield
        finally:
            for writer in writers:
                writer.cancel()
            for end in await asyncio.gather(*writers, return_exceptions=True):
                if not isinstance(end, asyncio.CancelledError):
                    self.failures.append(f"A writer failed: {end!r}")

    async def _write(self) -> None:
        """Do one thing after the other; what someone else was faster with is left."""
        acts = (self._like, self._publish, self._edit, self._delete, self._follow, self._read)
        while True:
            act = self.chance.choices(acts, (60, 10, 8, 6, 10, 6))[0]
            try:
                await act()
            except NotFound:
                continue
            self.done += 1

    async def _like(self) -> None:
        await toggle_like(self.store, ToggleLike(post_id=self._post()[0], user_id=self._person()))

    async def _publish(self) -> None:
        author = self.people[-1] if len(self.people) > len(self.posts) else self._person()
        words = " ".join(self.chance.choices(("ink", "fold", "page", "margin"), k=60))
        post = (await publish_post(self.store, PublishPost(author_id=author, title=words[:20], content=words))).value
        self.posts.append((post.id, author))

    async def _edit(self) -> None:
        post, author = self._post()
        title = f"Edited {self.chance.random()}"
        await edit_post(self.store, EditPost(post_id=post, author_id=author, title=title, content=None))

    async def _delete(self) -> None:
        known = self._post()
        self.posts.remove(known)
        await delete_post(self.store, DeletePost(post_id=known[0], author_id=known[1]))

    async def _follow(self) -> None:
        subscriber, target = self.chance.sample(self.people, 2)
        await toggle_subscription(self.store, ToggleSubscription(subscriber_id=subscriber, target_user_id=target))

    async def _read(self) -> None:
        await read_all_notifications(self.store, ReadAllNotifications(user_id=self._person()))

    def _person(self) -> UUID:
        return self.chance.choice(self.people)

    def _post(self) -> tuple[UUID, UUID]:
        if not self.posts:
            raise NotFound
        return self.chance.choice(self.posts)


@asynccontextmanager
async def crowd(config: Settings, connection: Connection, *, chance: random.Random) -> AsyncIterator[Crowd]:
    """Open what commands need, until the block ends."""
    redis = open_redis(config.redis_url)
    cache = Cache(redis, cluster=await system_identifier(connection))
    models = await open_commands(config)
    try:
        async with ringable(config) as doorbell:
            store = CommandStore(
                models,
                cache=cache,
                doorbell=doorbell,
                pool_size=config.command_pool_size,
                pool_timeout_seconds=config.pool_timeout_seconds,
            )
            yield Crowd(store=store, chance=chance)
    finally:
        await models.close_connections()
        await redis.aclose()
