"""Giving a like and taking it back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from app.command_store import CommandStore, Committed
from app.commands.callers import CALLER, admission
from app.commands.switches import Switch
from app.errors import PostNotFound
from app.idempotency import IdempotencyKey, once

#: The post's row is locked against deletion first; a like that stands already is left alone.
LIKE: Final = f"""
WITH {CALLER},

post AS (
    SELECT id, author_id FROM posts WHERE id = $3 AND EXISTS (SELECT FROM caller) FOR KEY SHARE
),

given AS (
    INSERT INTO likes (id, user_id, post_id)
    SELECT $4, $1, post.id FROM post
    ON CONFLICT (post_id, user_id) DO NOTHING
    RETURNING created_at
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id, payload)
    SELECT 'PostLiked', post.id, $1, jsonb_build_object('author_id', post.author_id, 'liked_at', given.created_at)
    FROM post, given
    RETURNING tx::text
)

SELECT post.id IS NOT NULL AS found, true AS stands, recorded.tx AS token
FROM caller
LEFT JOIN post ON true
LEFT JOIN recorded ON true
"""

UNLIKE: Final = f"""
WITH {CALLER},

post AS (
    SELECT id, author_id FROM posts WHERE id = $3 AND EXISTS (SELECT FROM caller) FOR KEY SHARE
),

taken AS (
    DELETE FROM likes
    WHERE post_id = $3 AND user_id = $1 AND EXISTS (SELECT FROM post)
    RETURNING created_at
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id, payload)
    SELECT 'PostUnliked', post.id, $1, jsonb_build_object('author_id', post.author_id, 'liked_at', taken.created_at)
    FROM post, taken
    RETURNING tx::text
)

SELECT post.id IS NOT NULL AS found, false AS stands, recorded.tx AS token
FROM caller
LEFT JOIN post ON true
LEFT JOIN recorded ON true
"""

# Of two toggles at once that see no like, one finds that the other has given it, and changes nothing.
_TOGGLE: Final = f"""
WITH {CALLER},

post AS (
    SELECT id, author_id FROM posts WHERE id = $3 AND EXISTS (SELECT FROM caller) FOR KEY SHARE
),

taken AS (
    DELETE FROM likes
    WHERE post_id = $3 AND user_id = $1 AND EXISTS (SELECT FROM post)
    RETURNING created_at
),

given AS (
    INSERT INTO likes (id, user_id, post_id)
    SELECT $4, $1, post.id FROM post WHERE NOT EXISTS (SELECT FROM taken)
    ON CONFLICT (post_id, user_id) DO NOTHING
    RETURNING created_at
),

turned AS (
    SELECT 'PostUnliked' AS type, created_at FROM taken
    UNION ALL
    SELECT 'PostLiked', created_at FROM given
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id, payload)
    SELECT turned.type, post.id, $1, jsonb_build_object('author_id', post.author_id, 'liked_at', turned.created_at)
    FROM post, turned
    RETURNING type, tx::text
)

SELECT post.id IS NOT NULL AS found, recorded.type = 'PostLiked' AS stands, recorded.tx AS token
FROM caller
LEFT JOIN post ON true
LEFT JOIN recorded ON true
"""

_SWITCH: Final = Switch(on=LIKE, off=UNLIKE, over=_TOGGLE, missing=PostNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class LikePost:
    """Let the user like the post; twice is as good as once."""

    post_id: UUID
    user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlikePost:
    """Let the user not like the post; twice is as good as once."""

    post_id: UUID
    user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleLike:
    """Like the post if the user does not, else take the like back."""

    post_id: UUID
    user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


async def like_post(store: CommandStore, command: LikePost) -> Committed[bool]:
    """Return True: the user likes the post now. Raises PostNotFound or AccessEnded."""
    return await _SWITCH.turn_on(store, command.user_id, command.post_id, issued_at=command.token_issued_at)


async def unlike_post(store: CommandStore, command: UnlikePost) -> Committed[bool]:
    """Return False: the user does not like the post now. Raises PostNotFound or AccessEnded."""
    return await _SWITCH.turn_off(store, command.user_id, command.post_id, issued_at=command.token_issued_at)


async def toggle_like(
    store: CommandStore, command: ToggleLike, *, key: IdempotencyKey | None = None
) -> Committed[bool]:
    """Return whether the user likes the post now. Raises PostNotFound or AccessEnded."""
    admit = admission(command.user_id, command.token_issued_at)
    keyed = once(key, command, by=command.user_id, answers=bool, admit=admit)
    return await _SWITCH.turn_over(
        store, command.user_id, command.post_id, issued_at=command.token_issued_at, once=keyed
    )
