"""The answers that queries give, as OpenAPI shows them. Routes answer without passing through these models."""

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas import NOTIFICATION_ID, POST_ID, USER_ID, Author

_MOMENT: Final = "2026-03-01T09:30:00.123456Z"


class _Page(BaseModel):
    """Some items of a list."""

    next_cursor: Annotated[
        str | None, Field(description="Send it as `cursor` for the next page; null on the last one", examples=[None])
    ]
    total: Annotated[int, Field(description="How many items the whole list has", examples=[1])]


class PostCard(BaseModel):
    """A post in a list."""

    id: Annotated[UUID, Field(examples=[POST_ID])]
    title: Annotated[str, Field(examples=["On analytical engines"])]
    excerpt: Annotated[
        str, Field(description="At most 280 characters", examples=["The engine weaves algebraic patterns."])
    ]
    author: Author
    like_count: Annotated[int, Field(examples=[340])]
    liked_by_me: Annotated[bool, Field(default=False, description="Only for whoever is signed in", examples=[True])]
    created_at: Annotated[datetime, Field(examples=[_MOMENT])]
    updated_at: Annotated[datetime, Field(examples=[_MOMENT])]


class PostCards(_Page):
    """A page of posts."""

    items: list[PostCard]


class PostWithContent(PostCard):
    """A post in full."""

    content: Annotated[str, Field(examples=["The engine weaves algebraic patterns."])]


class LikeOfPost(BaseModel):
    """Who likes a post."""

    user: Author
    liked_at: Annotated[datetime, Field(examples=[_MOMENT])]


class LikesOfPost(_Page):
    """A page of those who like a post."""

    items: list[LikeOfPost]


class Profile(BaseModel):
    """A user."""

    id: Annotated[UUID, Field(examples=[USER_ID])]
    username: Annotated[str, Field(examples=["ada"])]
    created_at: Annotated[datetime, Field(examples=[_MOMENT])]
    post_count: Annotated[int, Field(examples=[12])]
    likes_received: Annotated[int, Field(examples=[340])]
    subscriber_count: Annotated[int, Field(examples=[56])]
    subscription_count: Annotated[int, Field(examples=[7])]


class Following(BaseModel):
    """The user at the other end of a subscription."""

    user: Author
    since: Annotated[datetime, Field(examples=[_MOMENT])]


class Followings(_Page):
    """A page of users who follow or are followed."""

    items: list[Following]


class Notification(BaseModel):
    """A notification."""

    id: Annotated[UUID, Field(examples=[NOTIFICATION_ID])]
    message: Annotated[str, Field(examples=["ada published “On analytical engines”"])]
    is_read: Annotated[bool, Field(examples=[False])]
    created_at: Annotated[datetime, Field(examples=[_MOMENT])]
    post_id: Annotated[UUID, Field(examples=[POST_ID])]


class Notifications(_Page):
    """A page of notifications."""

    items: list[Notification]
    unread_count: Annotated[int, Field(description="Unread ones in all", examples=[1])]


class LikesOfBucket(BaseModel):
    """A point of the series."""

    date: Annotated[date, Field(description="Its first day in the period", examples=["2026-03-01"])]
    likes: Annotated[int, Field(examples=[17])]


class LikedPost(BaseModel):
    """A post that was liked in the period."""

    id: Annotated[UUID, Field(examples=[POST_ID])]
    title: Annotated[str, Field(examples=["On analytical engines"])]
    author: Author
    likes: Annotated[int, Field(description="Given in the period", examples=[17])]


class LikeStatistics(BaseModel):
    """Likes that stand, by when they were given."""

    model_config = ConfigDict(populate_by_name=True)

    first: Annotated[date, Field(alias="from", examples=["2026-03-01"])]
    last: Annotated[date, Field(alias="to", examples=["2026-03-01"])]
    tz: Annotated[str, Field(examples=["Europe/Berlin"])]
    granularity: Literal["day", "week", "month"]
    total: Annotated[int, Field(description="The sum of the series", examples=[17])]
    series: Annotated[list[LikesOfBucket], Field(description="Without gaps")]
    top_posts: Annotated[list[LikedPost], Field(description="Ten or fewer, the most liked in the period first")]
