"""The blog as tests speak of it: each method runs one real command, by the things that it is about."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, cast
from uuid import UUID

import orjson

from app.command_store import CommandStore, Transaction
from app.commands.likes import LikePost, UnlikePost, like_post, unlike_post
from app.commands.notifications import SendNotifications, send_notifications
from app.commands.posts import (
    DeletePost,
    EditPost,
    PublishPost,
    WrittenPost,
    delete_post,
    edit_post,
    publish_post,
)
from app.commands.subscriptions import Subscribe, Unsubscribe, subscribe, unsubscribe
from app.commands.users import RegisteredUser, RegisterUser, register_user
from app.events import PostLiked
from app.ids import new_id
from projections.engine.checkpoint import Connection

Happened = tuple[str, UUID, UUID, dict[str, object]]

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Blog:
    """Runs commands; looks only at the normalized tables."""

    store: CommandStore
    sql: Connection

    async def user(self, name: str | None = None) -> RegisteredUser:
        name = name or f"user{next(_numbers)}"
        command = RegisterUser(username=name, email=f"{name}@example.org", hashed_password="hash")
        return (await register_user(self.store, command)).value

    async def users(self, number: int) -> list[RegisteredUser]:
        return [await self.user() for _ in range(number)]

    async def post(self, author: RegisteredUser, title: str = "A title", content: str = "Some content.") -> WrittenPost:
        command = PublishPost(author_id=author.id, title=title, content=content)
        return (await publish_post(self.store, command)).value

    async def edit(self, post: WrittenPost, *, title: str | None = None, content: str | None = None) -> WrittenPost:
        command = EditPost(post_id=post.id, author_id=post.author_id, title=title, content=content)
        return (await edit_post(self.store, command)).value

    async def delete(self, post: WrittenPost) -> None:
        await delete_post(self.store, DeletePost(post_id=post.id, author_id=post.author_id))

    async def like(self, post: WrittenPost, user: RegisteredUser) -> datetime:
        """Return the moment of the like."""
        await like_post(self.store, LikePost(post_id=post.id, user_id=user.id))
        return await self._moment("likes WHERE post_id = $1 AND user_id = $2", post.id, user.id)

    async def unlike(self, post: WrittenPost, user: RegisteredUser) -> None:
        await unlike_post(self.store, UnlikePost(post_id=post.id, user_id=user.id))

    async def like_at(self, moment: datetime, post: WrittenPost, user: RegisteredUser) -> None:
        """Give a like at a moment other than now, as the command would."""
        async with self.sql.transaction():
            await like_at(self.sql, moment, post=post, user=user)

    async def subscribe(self, subscriber: RegisteredUser, target: RegisteredUser) -> datetime:
        """Return the moment from which the subscription counts."""
        await subscribe(self.store, Subscribe(subscriber_id=subscriber.id, target_user_id=target.id))
        return await self._moment(
            "subscriptions WHERE subscriber_id = $1 AND target_user_id = $2", subscriber.id, target.id
        )

    async def unsubscribe(self, subscriber: RegisteredUser, target: RegisteredUser) -> None:
        await unsubscribe(self.store, Unsubscribe(subscriber_id=subscriber.id, target_user_id=target.id))

    async def announce(self, *, chunk: int = 100) -> bool:
        """Write one chunk of notifications."""
        return (await send_notifications(self.store, SendNotifications(chunk=chunk))).value

    async def waiting(self) -> int:
        """Return how many posts are being announced."""
        return len(await self._rows("SELECT post_id FROM announcements"))

    async def notification_of(self, user: RegisteredUser, post: WrittenPost) -> UUID:
        rows = await self._rows("SELECT id FROM notifications WHERE user_id = $1 AND post_id = $2", user.id, post.id)
        return cast("UUID", rows[0]["id"])

    async def _moment(self, where: str, *values: UUID) -> datetime:
        return cast("datetime", (await self._rows(f"SELECT created_at FROM {where}", *values))[0]["created_at"])

    async def _rows(self, sql: str, *values: UUID) -> list[dict[str, Any]]:
        """Look at the normalized tables over the store's connections, so that many may look at once."""

        async def look(transaction: Transaction) -> list[dict[str, Any]]:
            return await transaction.fetch(sql, *values)

        return (await self.store.transact(look)).value


async def like_at(connection: Connection, moment: datetime, *, post: WrittenPost, user: RegisteredUser) -> None:
    """Write a like and its event, in the caller's transaction."""
    event = PostLiked(subject_id=post.id, actor_id=user.id, author_id=post.author_id, liked_at=moment)
    await connection.execute(
        "INSERT INTO likes (id, user_id, post_id, created_at) VALUES ($1, $2, $3, $4)",
        new_id(),
        user.id,
        post.id,
        moment,
    )
    await connection.execute(
        "INSERT INTO event (type, subject_id, actor_id, payload) VALUES ($1, $2, $3, $4::jsonb)",
        event.type,
        event.subject_id,
        event.actor_id,
        orjson.dumps(event.payload, default=str).decode(),
    )


async def happened(sql: Connection) -> list[Happened]:
    """Return the event log: type, subject, actor and payload of each event, in its order."""
    rows = await sql.fetch("SELECT type, subject_id, actor_id, payload FROM event ORDER BY tx, position")
    return [(row["type"], row["subject_id"], row["actor_id"], orjson.loads(row["payload"])) for row in rows]
