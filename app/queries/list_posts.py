"""The lists of posts, everybody's or one author's: newest first, or most liked first."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from app.errors import InkfoldError, UserNotFound
from app.queries.cards import CARD_COLUMNS, PostCard, card
from app.queries.cursors import Keyset, MostLiked, Newest
from app.queries.page import Page, page_of
from app.queries.reader import Reader

_NEWEST: Final = f"""
SELECT t.total, c.*
FROM read_post_total t
LEFT JOIN LATERAL (
    SELECT
        {CARD_COLUMNS}
    FROM read_post p
    WHERE (p.created_at, p.id) < ($2::timestamptz, $3::uuid)
    ORDER BY p.created_at DESC, p.id DESC
    LIMIT $4::int
) c ON true
ORDER BY c.created_at DESC, c.id DESC
"""

_NEWEST_OF_AUTHOR: Final = f"""
SELECT t.post_count AS total, c.*
FROM read_profile t
LEFT JOIN LATERAL (
    SELECT
        {CARD_COLUMNS}
    FROM read_post p
    WHERE p.author_id = t.user_id
      AND (p.created_at, p.id) < ($2::timestamptz, $3::uuid)
    ORDER BY p.created_at DESC, p.id DESC
    LIMIT $4::int
) c ON true
WHERE t.user_id = $5::uuid
ORDER BY c.created_at DESC, c.id DESC
"""

# Each post is looked up by itself: the planner, which knows no limit beforehand, would rather join all with all.
_MOST_LIKED: Final = f"""
SELECT t.total, c.*
FROM read_post_total t
LEFT JOIN LATERAL (
    SELECT
        k.like_count AS rank_likes,
        {CARD_COLUMNS}
    FROM read_post_rank k
    CROSS JOIN LATERAL (SELECT * FROM read_post p WHERE p.id = k.post_id LIMIT 1) p
    WHERE (k.like_count, k.post_id) < ($2::int, $3::uuid)
    ORDER BY k.like_count DESC, k.post_id DESC
    LIMIT $4::int
) c ON true
ORDER BY c.rank_likes DESC, c.id DESC
"""

_MOST_LIKED_OF_AUTHOR: Final = f"""
SELECT t.post_count AS total, c.*
FROM read_profile t
LEFT JOIN LATERAL (
    SELECT
        k.like_count AS rank_likes,
        {CARD_COLUMNS}
    FROM read_post_rank k
    CROSS JOIN LATERAL (SELECT * FROM read_post p WHERE p.id = k.post_id LIMIT 1) p
    WHERE k.author_id = t.user_id
      AND (k.like_count, k.post_id) < ($2::int, $3::uuid)
    ORDER BY k.like_count DESC, k.post_id DESC
    LIMIT $4::int
) c ON true
WHERE t.user_id = $5::uuid
ORDER BY c.rank_likes DESC, c.id DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PostList:
    viewer_id: UUID | None
    limit: int
    author_id: UUID | None = None
    cursor: str | None = None
    #: Whether an unknown author is a miss; otherwise it is an author without posts.
    author_must_exist: bool = False

    @property
    def _scope(self) -> list[UUID]:
        return [] if self.author_id is None else [self.author_id]

    async def _page(self, reader: Reader, sql: str, *, keyset: Keyset[Any], key: str) -> Page[PostCard] | None:
        after = keyset.position(self.cursor)
        rows = await reader.fetch(sql, self.viewer_id, *after, self.limit + 1, *self._scope)
        if not rows:
            return None if self.author_must_exist else Page(items=[], next_cursor=None, total=0)
        return page_of(
            rows, lambda row: card(row, self.viewer_id), limit=self.limit, keyset=keyset, position=(key, "id")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPosts(_PostList):
    """Posts, newest first."""

    reads: ClassVar[tuple[str, ...]] = ("posts", "post_likes", "profiles")
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    async def fetch(self, reader: Reader) -> Page[PostCard] | None:
        """Read a page; None for an author who must exist and doesn't. Raises InvalidCursor."""
        sql = _NEWEST if self.author_id is None else _NEWEST_OF_AUTHOR
        return await self._page(reader, sql, keyset=Newest.of("newest-posts", *self._scope), key="created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankPosts(_PostList):
    """Posts, most liked first."""

    reads: ClassVar[tuple[str, ...]] = ("ranking", "posts", "post_likes", "profiles")
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    async def fetch(self, reader: Reader) -> Page[PostCard] | None:
        """Read a page; None for an author who must exist and doesn't. Raises InvalidCursor."""
        sql = _MOST_LIKED if self.author_id is None else _MOST_LIKED_OF_AUTHOR
        return await self._page(reader, sql, keyset=MostLiked.of("most-liked-posts", *self._scope), key="rank_likes")
