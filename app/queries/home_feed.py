"""The home feed: posts of those whom the viewer follows, newest first."""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from app.errors import InkfoldError, UserNotFound
from app.queries.cards import CARD_COLUMNS, PostCard, card
from app.queries.cursors import Newest
from app.queries.page import Page, page_of
from app.queries.reader import Reader

# Of each author no more posts are looked at than the page could show, in the index alone; the cards are read for
# the page only. So the cost grows with the number of authors, not with that of their posts.
_FEED: Final = f"""
WITH followed AS MATERIALIZED (
    SELECT s.target_id AS author_id
    FROM read_subscription s
    WHERE s.subscriber_id = $1::uuid
),

shown AS MATERIALIZED (
    SELECT n.id
    FROM followed f
    CROSS JOIN LATERAL (
        SELECT r.id, r.created_at
        FROM read_post r
        WHERE r.author_id = f.author_id
          AND (r.created_at, r.id) < ($2::timestamptz, $3::uuid)
        ORDER BY r.created_at DESC, r.id DESC
        LIMIT $4::int
    ) n
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT $4::int
)

SELECT t.total, c.*
FROM (
    SELECT coalesce(sum(r.post_count), 0)::bigint AS total
    FROM followed f
    JOIN read_profile r ON r.user_id = f.author_id
) t
LEFT JOIN LATERAL (
    SELECT
        {CARD_COLUMNS}
    FROM shown s
    JOIN read_post p ON p.id = s.id
) c ON true
ORDER BY c.created_at DESC, c.id DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFeed:
    """The viewer's feed; empty for who follows nobody."""

    reads: ClassVar[tuple[str, ...]] = ("posts", "post_likes", "subscriptions", "profiles")
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    viewer_id: UUID
    limit: int
    cursor: str | None = None

    async def fetch(self, reader: Reader) -> Page[PostCard]:
        """Read a page. Raises InvalidCursor."""
        keyset = Newest.of("feed", self.viewer_id)
        rows = await reader.fetch(_FEED, self.viewer_id, *keyset.position(self.cursor), self.limit + 1)
        return page_of(
            rows,
            lambda row: card(row, self.viewer_id),
            limit=self.limit,
            keyset=keyset,
            position=("created_at", "id"),
        )
