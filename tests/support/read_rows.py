"""Rows put straight into the read tables, for tests of queries: no command, no event, no fold."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from app.ids import new_id
from projections.engine.checkpoint import Connection

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYBODY = UUID(int=0)

Given = tuple[UUID, UUID, datetime]


def minutes(count: float) -> datetime:
    """Return so many minutes after noon."""
    return NOON + timedelta(minutes=count)


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Puts rows into the read tables."""

    sql: Connection

    async def profile(self, username: str, *, posts: int = 0, subscribers: int = 0, subscriptions: int = 0) -> UUID:
        user_id = new_id()
        await self.sql.execute(
            "INSERT INTO read_profile VALUES ($1, $2, $3, true, $4, $5, 7, $6, $7)",
            user_id,
            username,
            f"{username}@example.org",
            NOON,
            posts,
            subscribers,
            subscriptions,
        )
        return user_id

    async def post(
        self, author_id: UUID, title: str = "A title", *, at: datetime = NOON, likes: int = 0, content: str = "Words."
    ) -> UUID:
        post_id = new_id()
        await self.sql.execute(
            "INSERT INTO read_post VALUES ($1, $2, 'ada', $3, 'Words', $4, 3, $5, $6, $6)",
            post_id,
            author_id,
            title,
            content,
            likes,
            at,
        )
        await self.sql.execute("INSERT INTO read_post_rank VALUES ($1, $2, $3)", post_id, author_id, likes)
        await self.sql.execute("UPDATE read_post_total SET total = total + 1")
        return post_id

    async def like(self, post_id: UUID, user_id: UUID, *, username: str = "bob", at: datetime = NOON) -> None:
        await self.sql.execute("INSERT INTO read_post_like VALUES ($1, $2, $3, $4)", post_id, user_id, username, at)

    async def subscription(self, subscriber_id: UUID, target_id: UUID, *, at: datetime = NOON) -> None:
        await self.sql.execute(
            "INSERT INTO read_subscription VALUES ($1, $2, 'bob', 'ada', $3)", subscriber_id, target_id, at
        )

    async def notification(self, user_id: UUID, *, at: datetime = NOON, is_read: bool = False) -> UUID:
        notification_id = new_id()
        await self.sql.execute(
            "INSERT INTO read_notification VALUES ($1, $2, $3, 'ada published', $4, $5)",
            notification_id,
            user_id,
            new_id(),
            is_read,
            at,
        )
        await self.sql.execute(
            """
            INSERT INTO read_notification_count AS r VALUES ($1, 1, $2)
            ON CONFLICT (user_id) DO UPDATE SET total = r.total + 1, unread = r.unread + excluded.unread
            """,
            user_id,
            int(not is_read),
        )
        return notification_id

    async def given_likes(self, likes: Iterable[Given]) -> None:
        """Put aggregates of likes, each of (post, author, moment)."""
        daily: Counter[tuple[str, UUID, date]] = Counter()
        quarters: Counter[tuple[str, UUID, datetime]] = Counter()
        spans: Counter[tuple[UUID, int, date, UUID]] = Counter()
        for post_id, author_id, at in likes:
            quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
            for scope in (("all", EVERYBODY), ("author", author_id), ("post", post_id)):
                daily[*scope, at.date()] += 1
                quarters[*scope, quarter] += 1
            spans[post_id, 1, at.date().replace(day=1), author_id] += 1
            spans[post_id, 12, at.date().replace(month=1, day=1), author_id] += 1
        await self.sql.executemany(
            """
            INSERT INTO read_likes_daily
            VALUES ($1, $2, $3, $4::int, CASE $1 WHEN 'post' THEN two_digits($4::int) ELSE 0 END)
            """,
            [(*key, count) for key, count in daily.items()],
        )
        await self.sql.executemany(
            "INSERT INTO read_likes_quarter_hourly VALUES ($1, $2, $3, $4)",
            [(*key, count) for key, count in quarters.items()],
        )
        await self.sql.executemany(
            "INSERT INTO read_likes_by_span VALUES ($1, $2, $3, $4, $5::int, two_digits($5::int))",
            [(*key, count) for key, count in spans.items()],
        )
