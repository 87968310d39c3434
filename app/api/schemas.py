"""The answers that commands give, as OpenAPI shows them. Routes answer without passing through these models."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

POST_ID: Final = "0199f3a2-6c11-7b52-9d0e-3f1c2a4b5d6e"
USER_ID: Final = "0199f3a1-02d4-7c31-8f6b-5e7d9a0c1b2f"
NOTIFICATION_ID: Final = "0199f3a4-91aa-7e03-b7c8-1d2e3f4a5b6c"
_MOMENT: Final = "2026-03-01T09:30:00.123456Z"


class Author(BaseModel):
    """A user as others see one."""

    id: Annotated[UUID, Field(examples=[USER_ID])]
    username: Annotated[str, Field(examples=["ada"])]


class RegisteredAccount(Author):
    """The account as it was made."""

    email: Annotated[str, Field(examples=["ada@example.org"])]
    is_active: Annotated[bool, Field(examples=[True])]
    created_at: Annotated[datetime, Field(examples=[_MOMENT])]


class OwnAccount(RegisteredAccount):
    """The account of whoever asks, with its counters."""

    post_count: Annotated[int, Field(examples=[12])]
    likes_received: Annotated[int, Field(examples=[340])]
    subscriber_count: Annotated[int, Field(examples=[56])]
    subscription_count: Annotated[int, Field(examples=[7])]


class IssuedTokens(BaseModel):
    """Access for a while, and the means to prolong it once."""

    access_token: Annotated[str, Field(description="Send it as `Authorization: Bearer …`", examples=["eyJhbGciOi…"])]
    token_type: Annotated[Literal["bearer"], Field(examples=["bearer"])]
    expires_in: Annotated[int, Field(description="Seconds", examples=[900])]
    refresh_token: Annotated[
        str,
        Field(
            description="Exchange it once; a repetition within 20 seconds, after a lost answer, is accepted.",
            examples=["vXo3…43 characters…9kE"],
        ),
    ]


class WrittenPost(BaseModel):
    """A post as it was just written."""

    id: Annotated[UUID, Field(examples=[POST_ID])]
    title: Annotated[str, Field(examples=["On analytical engines"])]
    content: Annotated[str, Field(examples=["The engine weaves algebraic patterns."])]
    author: Author
    version: Annotated[int, Field(description="Grows with every edit", examples=[1])]
    created_at: Annotated[datetime, Field(examples=[_MOMENT])]
    updated_at: Annotated[datetime, Field(examples=[_MOMENT])]


class LikeState(BaseModel):
    """Whether you like the post now."""

    liked: Annotated[bool, Field(examples=[True])]


class SubscriptionState(BaseModel):
    """Whether you follow the user now."""

    subscribed: Annotated[bool, Field(examples=[True])]


class NotificationState(BaseModel):
    """A notification, read."""

    id: Annotated[UUID, Field(examples=[NOTIFICATION_ID])]
    is_read: Annotated[bool, Field(examples=[True])]


class ReadCount(BaseModel):
    """How many notifications were unread until now."""

    read: Annotated[int, Field(examples=[3])]


class MostLikedPost(BaseModel):
    """A post among the most liked."""

    id: Annotated[UUID, Field(examples=[POST_ID])]
    title: Annotated[str, Field(examples=["On analytical engines"])]
    excerpt: Annotated[str, Field(examples=["The engine weaves algebraic patterns."])]
    author: Author
    like_count: Annotated[int, Field(examples=[340])]
    created_at: Annotated[datetime, Field(examples=[_MOMENT])]
    updated_at: Annotated[datetime, Field(examples=[_MOMENT])]


class MostLikedPosts(BaseModel):
    """Ten posts or fewer, the most liked first."""

    items: list[MostLikedPost]
