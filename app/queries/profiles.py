"""A user as everybody sees one, and as one sees oneself; with counters."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypedDict
from uuid import UUID

import asyncpg

from app.errors import InkfoldError, Unauthenticated, UserNotFound
from app.queries.reader import Reader

_PROFILE: Final = """
SELECT
    r.user_id,
    r.username,
    r.email,
    r.is_active,
    r.created_at,
    r.post_count,
    r.likes_received,
    r.subscriber_count,
    r.subscription_count
FROM read_profile r
WHERE r.user_id = $1::uuid
"""


class Profile(TypedDict):
    """What everybody may know of a user."""

    id: UUID
    username: str
    created_at: datetime
    post_count: int
    likes_received: int
    subscriber_count: int
    subscription_count: int


class OwnProfile(Profile):
    """What only the user may know besides."""

    email: str
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProfile:
    """A user, for everybody."""

    reads: ClassVar[tuple[str, ...]] = ("profiles",)
    missing: ClassVar[type[InkfoldError]] = UserNotFound

    user_id: UUID

    async def fetch(self, reader: Reader) -> Profile | None:
        """Read it; None when there is no such user."""
        row = await reader.fetchrow(_PROFILE, self.user_id)
        return None if row is None else _profile(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMe:
    """The user who asks. One who isn't there any more is not signed in."""

    reads: ClassVar[tuple[str, ...]] = ("profiles",)
    missing: ClassVar[type[InkfoldError]] = Unauthenticated

    user_id: UUID

    async def fetch(self, reader: Reader) -> OwnProfile | None:
        """Read it; None when there is no such user."""
        row = await reader.fetchrow(_PROFILE, self.user_id)
        if row is None:
            return None
        return OwnProfile(**_profile(row), email=row["email"], is_active=row["is_active"])


def _profile(row: asyncpg.Record) -> Profile:
    return Profile(
        id=row["user_id"],
        username=row["username"],
        created_at=row["created_at"],
        post_count=row["post_count"],
        likes_received=row["likes_received"],
        subscriber_count=row["subscriber_count"],
        subscription_count=row["subscription_count"],
    )
