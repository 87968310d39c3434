"""A user's notifications, newest first: the unread ones, or all."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, TypedDict
from uuid import UUID

import asyncpg

from app.errors import InkfoldError, UserNotFound
from app.queries.cursors import Newest
from app.queries.page import Page, page_of
from app.queries.reader import Reader

# A post that its author's subscribers are being told of just now may still bring this one a notification.
_COUNTS: Final = """
    SELECT
        coalesce(max(r.total), 0) AS all_count,
        coalesce(max(r.unread), 0) AS unread_count,
        EXISTS (
            SELECT
            FROM read_announcement a
            JOIN read_subscription s ON s.target_id = a.author_id
            WHERE s.subscriber_id = $1::uuid
              AND s.since <= a.since
        ) AS announcing
    FROM read_notification_count r
    WHERE r.user_id = $1::uuid
""".strip()

_UNREAD: Final = f"""
SELECT t.unread_count AS total, t.unread_count, t.announcing, n.*
FROM (
    {_COUNTS}
) t
LEFT JOIN LATERAL (
    SELECT r.id, r.message, r.is_read, r.created_at, r.post_id
    FROM read_notification r
    WHERE r.user_id = $1::uuid
      AND NOT r.is_read
      AND (r.created_at, r.id) < ($2::timestamptz, $3::uuid)
    ORDER BY r.created_at DESC, r.id DESC
    LIMIT $4::int
) n ON true
ORDER BY n.created_at DESC, n.id DESC
"""

_ALL: Final = f"""
SELECT t.all_count AS total, t.unread_count, t.announcing, n.*
FROM (
    {_COUNTS}
) t
LEFT JOIN LATERAL (
    SELECT r.id, r.message, r.is_read, r.created_at, r.post_id
    FROM read_notification r
    WHERE r.user_id = $1::uuid
      AND (r.created_at, r.id) < ($2::timestamptz, $3::uuid)
    ORDER BY r.created_at DESC, r.id DESC
    LIMIT $4::int
) n ON true
ORDER BY n.created_at DESC, n.id DESC
"""


class Status(StrEnum):
    """Which notifications are asked for."""

    UNREAD = "unread"
    ALL = "all"


class NotificationItem(TypedDict):
    """A notification, as its user sees it."""

    id: UUID
    message: str
    is_read: bool
    created_at: datetime
    post_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPage(Page[NotificationItem]):
    """A page, how many are unread in all, and whether more are being made."""

    unread_count: int
    announcing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNotifications:
    """The viewer's notifications."""

    reads: ClassVar[tuple[str, ...]] = ("notifications", "subscriptions")
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    viewer_id: UUID
    limit: int
    status: Status = Status.UNREAD
    cursor: str | None = None

    async def fetch(self, reader: Reader) -> NotificationPage:
        """Read a page. Raises InvalidCursor."""
        keyset = Newest.of(f"notifications-{self.status}", self.viewer_id)
        sql = _UNREAD if self.status is Status.UNREAD else _ALL
        rows = await reader.fetch(sql, self.viewer_id, *keyset.position(self.cursor), self.limit + 1)
        page = page_of(rows, _item, limit=self.limit, keyset=keyset, position=("created_at", "id"))
        return NotificationPage(
            items=page.items,
            next_cursor=page.next_cursor,
            total=page.total,
            unread_count=rows[0]["unread_count"],
            announcing=rows[0]["announcing"],
        )

    def settled(self, page: object) -> bool:
        """Say whether no notification is being made that might belong here."""
        return not (isinstance(page, NotificationPage) and page.announcing)


def _item(row: asyncpg.Record) -> NotificationItem:
    return NotificationItem(
        id=row["id"],
        message=row["message"],
        is_read=row["is_read"],
        created_at=row["created_at"],
        post_id=row["post_id"],
    )
