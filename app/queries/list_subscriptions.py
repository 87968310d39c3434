"""Subscriptions from both ends: whom a user follows, and who follows a user; newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypedDict
from uuid import UUID

import asyncpg

from app.errors import InkfoldError, UserNotFound
from app.queries.cursors import Newest
from app.queries.page import Page, Person, page_of
from app.queries.reader import Reader

_SUBSCRIPTIONS: Final = """
SELECT t.subscription_count AS total, s.*
FROM read_profile t
LEFT JOIN LATERAL (
    SELECT r.target_id AS user_id, r.target_username AS username, r.since
    FROM read_subscription r
    WHERE r.subscriber_id = t.user_id
      AND (r.since, r.target_id) < ($2::timestamptz, $3::uuid)
    ORDER BY r.since DESC, r.target_id DESC
    LIMIT $4::int
) s ON true
WHERE t.user_id = $1::uuid
ORDER BY s.since DESC, s.user_id DESC
"""

_SUBSCRIBERS: Final = """
SELECT t.subscriber_count AS total, s.*
FROM read_profile t
LEFT JOIN LATERAL (
    SELECT r.subscriber_id AS user_id, r.subscriber_username AS username, r.since
    FROM read_subscription r
    WHERE r.target_id = t.user_id
      AND (r.since, r.subscriber_id) < ($2::timestamptz, $3::uuid)
    ORDER BY r.since DESC, r.subscriber_id DESC
    LIMIT $4::int
) s ON true
WHERE t.user_id = $1::uuid
ORDER BY s.since DESC, s.user_id DESC
"""


class Following(TypedDict):
    """The user at the other end of a subscription, and since when it stands."""

    user: Person
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSubscriptions:
    """Whom a user follows."""

    reads: ClassVar[tuple[str, ...]] = ("subscriptions", "profiles")
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    subscriber_id: UUID
    limit: int
    cursor: str | None = None

    async def fetch(self, reader: Reader) -> Page[Following] | None:
        """Read a page; None when there is no such user. Raises InvalidCursor."""
        keyset = Newest.of("subscriptions", self.subscriber_id)
        rows = await reader.fetch(_SUBSCRIPTIONS, self.subscriber_id, *keyset.position(self.cursor), self.limit + 1)
        return _page(rows, limit=self.limit, keyset=keyset)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSubscribers:
    """Who follows a user."""

    reads: ClassVar[tuple[str, ...]] = ("subscriptions", "profiles")
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    user_id: UUID
    limit: int
    cursor: str | None = None

    async def fetch(self, reader: Reader) -> Page[Following] | None:
        """Read a page; None when there is no such user. Raises InvalidCursor."""
        keyset = Newest.of("subscribers", self.user_id)
        rows = await reader.fetch(_SUBSCRIBERS, self.user_id, *keyset.position(self.cursor), self.limit + 1)
        return _page(rows, limit=self.limit, keyset=keyset)


def _page(rows: list[asyncpg.Record], *, limit: int, keyset: Newest) -> Page[Following] | None:
    if not rows:
        return None
    return page_of(rows, _following, limit=limit, keyset=keyset, position=("since", "user_id"))


def _following(row: asyncpg.Record) -> Following:
    return Following(user=Person(id=row["user_id"], username=row["username"]), since=row["since"])
