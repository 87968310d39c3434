"""Marking notifications read, and writing those of a new post for all who follow its author.

The API calls the former, the worker the latter. What is to be announced stands in PostgreSQL with the last subscriber
reached, so a worker that dies in the middle is continued by the next.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.command_store import CommandStore, Committed, Transaction
from app.commands.callers import admission, admit
from app.errors import NotificationNotFound
from app.events import AllNotificationsRead, NotificationRead, NotificationsSent
from app.idempotency import IdempotencyKey, once
from app.models import Notification

# One worker takes one announcement; the post's row is locked against deletion while its notifications are written.
_TAKE = """
SELECT a.post_id, a.author_id, a.message, a.last_subscriber_id, a.created_at
FROM announcements a
JOIN posts p ON p.id = a.post_id
ORDER BY a.created_at, a.post_id
LIMIT 1
FOR UPDATE OF a SKIP LOCKED
FOR KEY SHARE OF p SKIP LOCKED
"""

# One statement, so that nobody's id leaves PostgreSQL.
_SEND = """
WITH reached AS MATERIALIZED (
    SELECT s.subscriber_id
    FROM subscriptions s
    WHERE s.target_user_id = $1
      AND s.created_at <= $2
      AND s.subscriber_id > coalesce($3::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY s.subscriber_id
    LIMIT $4
),

sent AS (
    INSERT INTO notifications (id, user_id, post_id, message)
    SELECT uuidv7(), r.subscriber_id, $5, $6
    FROM reached r
    ON CONFLICT (post_id, user_id) DO NOTHING
)

SELECT
    count(*) AS subscribers,
    (SELECT r.subscriber_id FROM reached r ORDER BY r.subscriber_id DESC LIMIT 1) AS last
FROM reached
"""

_GO_ON = "UPDATE announcements SET last_subscriber_id = $2 WHERE post_id = $1"
_FINISH = "DELETE FROM announcements WHERE post_id = $1"

_READ_ALL = """
WITH changed AS (
    UPDATE notifications SET is_read = true WHERE user_id = $1 AND NOT is_read RETURNING 1
)

SELECT count(*) AS changed FROM changed
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNotification:
    """Mark one of the user's notifications read; twice is as good as once."""

    notification_id: UUID
    user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAllNotifications:
    """Mark all of the user's notifications read."""

    user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendNotifications:
    """Notify up to `chunk` more subscribers of the post that has waited longest."""

    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadState:
    """A notification and whether it is read."""

    id: UUID
    is_read: bool


async def read_notification(
    store: CommandStore, command: ReadNotification, *, key: IdempotencyKey | None = None
) -> Committed[ReadState]:
    """Mark it read; raises NotificationNotFound when it isn't the user's, or AccessEnded."""

    async def work(transaction: Transaction) -> ReadState:
        await admit(transaction, command.user_id, command.token_issued_at)
        own = Notification.filter(id=command.notification_id, user_id=command.user_id)
        if await own.filter(is_read=False).using_db(transaction.connection).update(is_read=True):
            transaction.record(
                NotificationRead(subject_id=command.notification_id, actor_id=command.user_id),
            )
        elif not await own.using_db(transaction.connection).exists():
            raise NotificationNotFound
        return ReadState(id=command.notification_id, is_read=True)

    admitted = admission(command.user_id, command.token_issued_at)
    keyed = once(key, command, by=command.user_id, answers=ReadState, admit=admitted)
    return await store.transact(work, once=keyed)


async def read_all_notifications(
    store: CommandStore, command: ReadAllNotifications, *, key: IdempotencyKey | None = None
) -> Committed[int]:
    """Mark all read and return how many were not; raises AccessEnded."""

    async def work(transaction: Transaction) -> int:
        await admit(transaction, command.user_id, command.token_issued_at)
        changed: int = (await transaction.fetch(_READ_ALL, command.user_id))[0]["changed"]
        if changed:
            transaction.record(AllNotificationsRead(subject_id=command.user_id, actor_id=command.user_id))
        return changed

    admitted = admission(command.user_id, command.token_issued_at)
    keyed = once(key, command, by=command.user_id, answers=int, admit=admitted)
    return await store.transact(work, once=keyed)


async def send_notifications(store: CommandStore, command: SendNotifications) -> Committed[bool]:
    """Write one chunk and return whether there was anything to announce."""

    async def work(transaction: Transaction) -> bool:
        waiting = await transaction.fetch(_TAKE)
        if waiting:
            await _send_chunk(transaction, waiting[0], command.chunk)
        return bool(waiting)

    return await store.transact(work)


async def _send_chunk(transaction: Transaction, announcement: dict[str, Any], chunk: int) -> None:
    post_id, after = announcement["post_id"], announcement["last_subscriber_id"]
    author_id, since, message = announcement["author_id"], announcement["created_at"], announcement["message"]
    (sent,) = await transaction.fetch(_SEND, author_id, since, after, chunk, post_id, message)
    if sent["subscribers"] < chunk:
        await transaction.fetch(_FINISH, post_id)
    else:
        await transaction.fetch(_GO_ON, post_id, sent["last"])
    upto = sent["last"] or after or UUID(int=0)
    transaction.record(NotificationsSent(subject_id=post_id, actor_id=author_id, after=after, upto=upto))
