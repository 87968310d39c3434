"""People, posts and likes made up by SQL from their numbers, normalized rows and events alike. In own systems only.

Like number n, from 0 up to people times posts, is of a pair of its own: whole ranges are written by one statement.
"""

from dataclasses import dataclass
from typing import Final

from projections.engine.checkpoint import Connection

_PREFIX: Final = {"user": 0x7000_8000, "post": 0x7000_8001}


def _uuid(kind: str, number: str) -> str:
    head = f"{_PREFIX[kind]:08x}"
    return f"('00000000-0000-{head[:4]}-{head[4:]}-' || lpad(to_hex({number}), 12, '0'))::uuid"


_PEOPLE: Final = f"""
INSERT INTO users (id, username, username_key, email, hashed_password)
SELECT {_uuid("user", "n")}, 'person-' || n, 'person-' || n, 'person-' || n || '@example.org', 'none'
FROM generate_series(0, $1::bigint - 1) n
"""

_POSTS: Final = f"""
INSERT INTO posts (id, title, content, author_id)
SELECT {_uuid("post", "n")}, 'Post ' || n, repeat('What is written about ' || n || '. ', 20), {_uuid("user", "n % $2")}
FROM generate_series(0, $1::bigint - 1) n
"""

# As the command does it: the like, and its event as the last statement.
_LIKES: Final = f"""
WITH given AS (
    INSERT INTO likes (id, user_id, post_id)
    SELECT uuidv7(), {_uuid("user", "(n / $4::bigint + n % $4) % $3::bigint")}, {_uuid("post", "n % $4")}
    FROM generate_series($1::bigint, $2::bigint - 1) n
    RETURNING user_id, post_id, created_at
),

appended AS (
    INSERT INTO event (type, subject_id, actor_id, payload)
    SELECT
        'PostLiked', g.post_id, g.user_id,
        jsonb_build_object('author_id', p.author_id, 'liked_at', g.created_at)
    FROM given g
    JOIN posts p ON p.id = g.post_id
    RETURNING 1
)

SELECT count(*), pg_current_xact_id()::text FROM appended
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blog:
    """So many people, and so many posts, each by one of them."""

    people: int
    posts: int

    async def write(self, connection: Connection) -> None:
        """Write people and posts, before any projection is built: they have no events."""
        await connection.execute(_PEOPLE, self.people)
        await connection.execute(_POSTS, self.posts, self.people)
        await connection.execute("ANALYZE users, posts")

    async def like(self, connection: Connection, first: int, end: int) -> int:
        """Write the likes numbered `first` up to, not including, `end`, and their events; return the transaction id."""
        row = await connection.fetchrow(_LIKES, first, end, self.people, self.posts)
        assert row is not None
        if row[0] != end - first:
            raise ValueError(
                f"{self.people:,} people can like {self.posts:,} posts {self.people * self.posts:,} times."
            )
        return int(row[1])
