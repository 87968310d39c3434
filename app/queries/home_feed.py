"""The home feed: posts of those whom the viewer follows, newest first."""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from app.errors import InkfoldError, UserNotFound
from app.queries.cards import CARD_COLUMNS, PostCard, card
from app.queries.cursors import Newest
from app.queries.page import Page, page_of
from app.queries.reader import Reader

#: To ask an author's own index for posts takes about as long as to look through so many in the index of all.
_POSTS_PER_AUTHOR: Final = 10

# Either all posts are looked through, newest first, until the page is full, or each author is asked. The first is
# quicker where those followed write so much that it needs fewer than `look` posts; if it proves not to be enough, the
# authors are asked for what lies below. So no feed costs much more than the better way, on any page of it.
# `IS TRUE` keeps IN a test of each post, in their order, which stops at the last one needed. An author whose newest is
# not among the newest of all authors has nothing on the page. Profiles are found
# by an array, which PostgreSQL sorts and walks through the index with.
_FEED: Final = f"""
WITH followed AS MATERIALIZED (
    SELECT s.target_id AS author_id
    FROM read_subscription s
    WHERE s.subscriber_id = $1::uuid
),

written AS MATERIALIZED (
    SELECT
        (SELECT count(*) * {_POSTS_PER_AUTHOR} FROM followed) AS look,
        coalesce(sum(r.post_count), 0)::bigint AS total
    FROM read_profile r
    WHERE r.user_id = ANY (ARRAY (SELECT f.author_id FROM followed f))
),

way AS MATERIALIZED (
    SELECT CASE WHEN w.look * w.total > a.total * $4::int THEN w.look ELSE 0 END AS look
    FROM written w
    CROSS JOIN read_post_total a
),

found AS MATERIALIZED (
    SELECT n.id, n.created_at
    FROM (
        SELECT r.id, r.created_at, r.author_id
        FROM read_post r
        WHERE (r.created_at, r.id) < ($2::timestamptz, $3::uuid)
        ORDER BY r.created_at DESC, r.id DESC
        LIMIT (SELECT w.look FROM way w)
    ) n
    WHERE (n.author_id IN (SELECT f.author_id FROM followed f)) IS TRUE
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT $4::int
),

below AS MATERIALIZED (
    SELECT $2::timestamptz AS created_at, $3::uuid AS id
    FROM way w
    WHERE w.look = 0
    UNION ALL
    (
        SELECT r.created_at, r.id
        FROM read_post r
        WHERE (r.created_at, r.id) < ($2::timestamptz, $3::uuid)
          AND (SELECT w.look > 0 FROM way w)
          AND (SELECT count(*) < $4::int FROM found)
        ORDER BY r.created_at DESC, r.id DESC
        OFFSET (SELECT greatest(w.look - 1, 0) FROM way w)
        LIMIT 1
    )
),

asked AS MATERIALIZED (
    SELECT f.author_id
    FROM below b
    CROSS JOIN followed f
    CROSS JOIN LATERAL (
        SELECT r.created_at, r.id
        FROM read_post r
        WHERE r.author_id = f.author_id
          AND (r.created_at, r.id) < (b.created_at, b.id)
        ORDER BY r.created_at DESC, r.id DESC
        LIMIT 1
    ) n
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT $4::int
),

shown AS MATERIALIZED (
    SELECT m.id
    FROM (
        SELECT n.id, n.created_at
        FROM found n
        UNION ALL
        SELECT o.id, o.created_at
        FROM below b
        CROSS JOIN asked a
        CROSS JOIN LATERAL (
            SELECT r.id, r.created_at
            FROM read_post r
            WHERE r.author_id = a.author_id
              AND (r.created_at, r.id) < (b.created_at, b.id)
            ORDER BY r.created_at DESC, r.id DESC
            LIMIT $4::int
        ) o
    ) m
    ORDER BY m.created_at DESC, m.id DESC
    LIMIT $4::int
)

SELECT t.total, c.*
FROM written t
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
