"""What the clients were told, and whether the database says the same: acknowledged is kept, once, and nothing else is.

Each thing has one client that changes it, one request after another, so that what it must be is known at any moment.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from projections.engine.checkpoint import Connection

Key = TypeVar("Key", bound=Hashable)
#: A post's content, or whether a like, a subscription or an account stands; None or False where there is none.
Value: TypeAlias = str | bool | None

_POSTS: Final = """
SELECT p.title, p.content
FROM posts p
JOIN users u ON u.id = p.author_id
WHERE u.username = ANY ($1::text[])
"""
_LIKES: Final = """
SELECT l.user_id::text AS who, l.post_id::text AS what
FROM likes l
JOIN users u ON u.id = l.user_id
WHERE u.username = ANY ($1::text[])
"""
_SUBSCRIPTIONS: Final = """
SELECT s.subscriber_id::text AS who, s.target_user_id::text AS what
FROM subscriptions s
JOIN users u ON u.id = s.subscriber_id
WHERE u.username = ANY ($1::text[])
"""
_USERS: Final = "SELECT username FROM users WHERE username = ANY ($1::text[])"

# Whoever turns something one way twice, without having turned it back, has done it twice.
_REPEATED: Final = """
SELECT type, count(*) AS times
FROM (
    SELECT type, lag(type) OVER (PARTITION BY subject_id, actor_id, kind ORDER BY tx, position) AS before
    FROM (
        SELECT *, CASE WHEN type LIKE 'Post%' THEN 'like' ELSE 'subscription' END AS kind
        FROM event
        WHERE type IN ('PostLiked', 'PostUnliked', 'UserSubscribed', 'UserUnsubscribed')
    ) turned
) following
WHERE type = before
GROUP BY type
"""
_PUBLISHED_TWICE: Final = """
SELECT subject_id::text AS post_id
FROM event
WHERE type = 'PostPublished'
GROUP BY subject_id
HAVING count(*) > 1
"""


@dataclass(slots=True)
class Told:
    """What one thing may be: as last acknowledged, or as asked for since, without learning what came of it."""

    may_be: set[Value]

    @property
    def certain(self) -> bool:
        """Whether there is but one thing that it may be."""
        return len(self.may_be) == 1

    def acknowledged(self, value: Value) -> None:
        """Let it be so, and nothing else."""
        self.may_be = {value}

    def doubtful(self, value: Value) -> None:
        """Let it be possible that it has become so."""
        self.may_be.add(value)


@dataclass(slots=True, kw_only=True)
class Losses:
    """What is not as the clients were told, in sentences."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    #: How many things were compared.
    things: int = 0


@dataclass(slots=True)
class Oracle:
    """Everything that clients have asked for; posts by their titles, which are different."""

    posts: dict[str, Told] = field(default_factory=dict)
    likes: dict[tuple[str, str], Told] = field(default_factory=dict)
    subscriptions: dict[tuple[str, str], Told] = field(default_factory=dict)
    people: dict[str, Told] = field(default_factory=dict)

    async def compare(self, connection: Connection) -> Losses:
        """Compare it with what the tables hold of these people, and with the event log."""
        losses, people = Losses(), list(self.people)
        posts = await connection.fetch(_POSTS, people)
        losses.doubled += [
            f"{times} posts are called “{title}”"
            for title, times in Counter(row["title"] for row in posts).items()
            if times > 1
        ]
        _judge("post", self.posts, {row["title"]: row["content"] for row in posts}, None, losses)
        for what, told, query in (
            ("like", self.likes, _LIKES),
            ("subscription", self.subscriptions, _SUBSCRIPTIONS),
        ):
            found = {(row["who"], row["what"]): True for row in await connection.fetch(query, people)}
            _judge(what, told, found, False, losses)
        users = {row["username"]: True for row in await connection.fetch(_USERS, people)}
        _judge("account", self.people, users, False, losses)
        for row in await connection.fetch(_REPEATED):
            losses.doubled.append(f"events too many: {row['times']} {row['type']}")
        losses.doubled += [
            f"PostPublished happened twice for {row['post_id']}" for row in await connection.fetch(_PUBLISHED_TWICE)
        ]
        return losses


def _judge(what: str, told: Mapping[Key, Told], found: Mapping[Key, Value], absent: Value, losses: Losses) -> None:
    losses.things += len(told)
    losses.lost += _differing(what, told, found, absent)
    losses.doubled += [f"{what} {key} is there, and nobody asked for it" for key in found.keys() - told.keys()]


def _differing(what: str, told: Mapping[Key, Told], found: Mapping[Key, Value], absent: Value) -> Iterator[str]:
    for key, each in told.items():
        value = found.get(key, absent)
        if value not in each.may_be:
            expected = " or ".join(map(repr, each.may_be))
            yield f"{what} {key} is {value!r}, and must be {expected}"
