"""The card of a post, as every list of posts shows it. Statements that use it have the viewer as $1, or NULL."""

from datetime import datetime
from typing import Final, NotRequired, TypedDict
from uuid import UUID

import asyncpg

from app.queries.page import Person

# Not EXISTS: for that, PostgreSQL may gather all that the viewer likes, which no index serves.
_COLUMNS: Final = """
        p.id,
        p.author_id,
        p.author_username,
        p.title,
        p.excerpt,
        p.like_count,
        p.created_at,
        p.updated_at,
        (SELECT true FROM read_post_like l WHERE l.post_id = p.id AND l.user_id = {viewer}) AS liked_by_me
""".strip()

CARD_COLUMNS: Final = _COLUMNS.format(viewer="$1::uuid")
#: The same for several viewers at once, each with a post of their own: rows `asked (post_id, viewer_id)`.
CARD_COLUMNS_OF_ASKED: Final = _COLUMNS.format(viewer="asked.viewer_id")


class PostCard(TypedDict):
    """A post in a list. `liked_by_me` is there for a viewer who has signed in."""

    id: UUID
    title: str
    excerpt: str
    author: Person
    like_count: int
    liked_by_me: NotRequired[bool]
    created_at: datetime
    updated_at: datetime


def card(row: asyncpg.Record, viewer_id: UUID | None) -> PostCard:
    """Make the card of a row with CARD_COLUMNS."""
    shown = PostCard(
        id=row["id"],
        title=row["title"],
        excerpt=row["excerpt"],
        author=Person(id=row["author_id"], username=row["author_username"]),
        like_count=row["like_count"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
    if viewer_id is not None:
        shown["liked_by_me"] = row["liked_by_me"] is not None
    return shown
