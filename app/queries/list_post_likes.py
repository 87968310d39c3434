"""Who likes a post, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypedDict
from uuid import UUID

import asyncpg

from app.errors import InkfoldError, PostNotFound
from app.queries.cursors import Newest
from app.queries.page import Page, Person, page_of
from app.queries.reader import Reader

_LIKES: Final = """
SELECT t.like_count AS total, l.*
FROM read_post t
LEFT JOIN LATERAL (
    SELECT r.user_id, r.username, r.liked_at
    FROM read_post_like r
    WHERE r.post_id = t.id
      AND (r.liked_at, r.user_id) < ($2::timestamptz, $3::uuid)
    ORDER BY r.liked_at DESC, r.user_id DESC
    LIMIT $4::int
) l ON true
WHERE t.id = $1::uuid
ORDER BY l.liked_at DESC, l.user_id DESC
"""


class LikeOfPost(TypedDict):
    """That somebody likes a post, since when."""

    user: Person
    liked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPostLikes:
    """The likes of a post."""

    reads: ClassVar[tuple[str, ...]] = ("posts", "post_likes")
    missing: ClassVar[type[InkfoldError]] = PostNotFound

    post_id: UUID
    limit: int
    cursor: str | None = None

    async def fetch(self, reader: Reader) -> Page[LikeOfPost] | None:
        """Read a page; None when there is no such post. Raises InvalidCursor."""
        keyset = Newest.of("post-likes", self.post_id)
        after = keyset.position(self.cursor)
        rows = await reader.fetch(_LIKES, self.post_id, *after, self.limit + 1)
        if not rows:
            return None
        return page_of(rows, _like, limit=self.limit, keyset=keyset, position=("liked_at", "user_id"))


def _like(row: asyncpg.Record) -> LikeOfPost:
    return LikeOfPost(user=Person(id=row["user_id"], username=row["username"]), liked_at=row["liked_at"])
