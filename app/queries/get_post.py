"""One post with its whole content, for one viewer or for several at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from app.errors import InkfoldError, PostNotFound
from app.queries.cards import CARD_COLUMNS_OF_ASKED, PostCard, card
from app.queries.reader import Reader

_POSTS: Final = f"""
SELECT
        asked.number,
        p.content,
        p.version,
        {CARD_COLUMNS_OF_ASKED}
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked (post_id, viewer_id, number)
JOIN read_post p ON p.id = asked.post_id
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
        return (await fetch_posts(reader, [self]))[0]


async def fetch_posts(reader: Reader, queries: Sequence[GetPost]) -> list[PostDetail | None]:
    """Read several by one statement; None for each that is no post."""
    rows = await reader.fetch(_POSTS, [query.post_id for query in queries], [query.viewer_id for query in queries])
    found: list[PostDetail | None] = [None] * len(queries)
    for row in rows:
        place = row["number"] - 1
        post = PostWithContent(**card(row, queries[place].viewer_id), content=row["content"])
        found[place] = PostDetail(post=post, version=row["version"])
    return found
