"""One post with its whole content."""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from app.errors import InkfoldError, PostNotFound
from app.queries.cards import CARD_COLUMNS, PostCard, card
from app.queries.reader import Reader

_POST: Final = f"""
SELECT
        p.content,
        p.version,
        {CARD_COLUMNS}
FROM read_post p
WHERE p.id = $2::uuid
"""


class PostWithContent(PostCard):
    """The card, and all that the author wrote."""

    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDetail:
    """A post, and the version that its ETag names."""

    post: PostWithContent
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPost:
    """The post, as the viewer sees it."""

    reads: ClassVar[tuple[str, ...]] = ("posts", "post_likes")
    missing: ClassVar[type[InkfoldError]] = PostNotFound

    post_id: UUID
    viewer_id: UUID | None

    async def fetch(self, reader: Reader) -> PostDetail | None:
        """Read it; None when there is no such post."""
        row = await reader.fetchrow(_POST, self.viewer_id, self.post_id)
        if row is None:
            return None
        post = PostWithContent(**card(row, self.viewer_id), content=row["content"])
        return PostDetail(post=post, version=row["version"])
