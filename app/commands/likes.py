"""Giving a like and taking it back."""

from dataclasses import dataclass
from uuid import UUID

from app.command_store import CommandStore, Committed, Transaction
from app.errors import PostNotFound
from app.events import PostLiked, PostUnliked
from app.ids import new_id

# The post's row is locked against deletion before the like is written; a like that stands already is left alone.
_LIKE = """
WITH post AS (
    SELECT id, author_id FROM posts WHERE id = $3 FOR KEY SHARE
),

given AS (
    INSERT INTO likes (id, user_id, post_id)
    SELECT $1, $2, post.id FROM post
    ON CONFLICT (post_id, user_id) DO NOTHING
    RETURNING created_at
)

SELECT post.author_id, given.created_at AS liked_at
FROM post
LEFT JOIN given ON true
"""

_UNLIKE = """
WITH taken AS (
    DELETE FROM likes WHERE post_id = $2 AND user_id = $1 RETURNING created_at
)

SELECT p.author_id, taken.created_at AS liked_at
FROM posts p
LEFT JOIN taken ON true
WHERE p.id = $2
"""

# Two toggles of one user and post must not both see the same state; the lock takes no transaction id.
_LOCK_PAIR = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::uuid::text, 0))"


@dataclass(frozen=True, slots=True, kw_only=True)
class LikePost:
    """Let the user like the post; twice is as good as once."""

    post_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlikePost:
    """Let the user not like the post; twice is as good as once."""

    post_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleLike:
    """Like the post if the user does not, else take the like back."""

    post_id: UUID
    user_id: UUID


async def like_post(store: CommandStore, command: LikePost) -> Committed[bool]:
    """Return True: the user likes the post now. Raises PostNotFound."""

    async def work(transaction: Transaction) -> bool:
        await _like(transaction, command)
        return True

    return await store.transact(work)


async def unlike_post(store: CommandStore, command: UnlikePost) -> Committed[bool]:
    """Return False: the user does not like the post now. Raises PostNotFound."""

    async def work(transaction: Transaction) -> bool:
        await _unlike(transaction, command)
        return False

    return await store.transact(work)


async def toggle_like(store: CommandStore, command: ToggleLike) -> Committed[bool]:
    """Return whether the user likes the post now. Raises PostNotFound."""

    async def work(transaction: Transaction) -> bool:
        await transaction.fetch(_LOCK_PAIR, command.user_id, command.post_id)
        if await _unlike(transaction, command):
            return False
        await _like(transaction, command)
        return True

    return await store.transact(work)


async def _like(transaction: Transaction, command: LikePost | ToggleLike) -> None:
    rows = await transaction.fetch(_LIKE, new_id(), command.user_id, command.post_id)
    if not rows:
        raise PostNotFound
    if rows[0]["liked_at"] is not None:
        transaction.record(PostLiked(subject_id=command.post_id, actor_id=command.user_id, **rows[0]))


async def _unlike(transaction: Transaction, command: UnlikePost | ToggleLike) -> bool:
    rows = await transaction.fetch(_UNLIKE, command.user_id, command.post_id)
    if not rows:
        raise PostNotFound
    if rows[0]["liked_at"] is None:
        return False
    transaction.record(PostUnliked(subject_id=command.post_id, actor_id=command.user_id, **rows[0]))
    return True
