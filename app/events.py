"""What happened, in the past tense: the facts that commands append and projections fold. Pure data.

`subject_id` is what it happened to, `actor_id` who did it; everything else a fold needs stands in the payload.
Commands that are one statement (app.commands.switches) write in SQL what their event says here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about a subject, brought about by an actor."""

    subject_id: UUID
    actor_id: UUID

    @property
    def type(self) -> str:
        """The name under which folds know it."""
        return type(self).__name__

    @property
    def payload(self) -> Mapping[str, Any]:
        """What the log keeps beside the ids."""
        return {}


@dataclass(frozen=True, slots=True)
class UserRegistered(Event):
    """Subject and actor are the new user."""


@dataclass(frozen=True, slots=True)
class UserDeactivated(Event):
    """Subject and actor are the user, though an operator did it."""


@dataclass(frozen=True, slots=True)
class UserReactivated(Event):
    """Subject and actor are the user, though an operator did it."""


@dataclass(frozen=True, slots=True)
class PostPublished(Event):
    """Subject: the post; actor: its author."""


@dataclass(frozen=True, slots=True)
class PostEdited(Event):
    """Subject: the post; actor: its author."""


@dataclass(frozen=True, slots=True)
class PostDeleted(Event):
    """Subject: the post; actor: its author. `likes` is how many likes went with it."""

    likes: int

    @property
    def payload(self) -> Mapping[str, Any]:
        """The likes that went with the post."""
        return {"likes": self.likes}


@dataclass(frozen=True, slots=True)
class _LikeChanged(Event):
    author_id: UUID
    liked_at: datetime

    @property
    def payload(self) -> Mapping[str, Any]:
        """The post's author, and the moment at which the like was given."""
        return {"author_id": self.author_id, "liked_at": self.liked_at}


@dataclass(frozen=True, slots=True)
class PostLiked(_LikeChanged):
    """Subject: the post; actor: who likes it, since `liked_at`."""


@dataclass(frozen=True, slots=True)
class PostUnliked(_LikeChanged):
    """Subject: the post; actor: who liked it, given at `liked_at`."""


@dataclass(frozen=True, slots=True)
class UserSubscribed(Event):
    """Subject: whom; actor: who follows."""


@dataclass(frozen=True, slots=True)
class UserUnsubscribed(Event):
    """Subject: whom; actor: who followed."""


@dataclass(frozen=True, slots=True)
class NotificationsSent(Event):
    """Subject: the post; actor: its author. Subscribers with `after` < id <= `upto` have been notified."""

    after: UUID | None
    upto: UUID

    @property
    def payload(self) -> Mapping[str, Any]:
        """The range of subscriber ids."""
        return {"after": self.after, "upto": self.upto}


@dataclass(frozen=True, slots=True)
class NotificationRead(Event):
    """Subject: the notification; actor: whose it is."""


@dataclass(frozen=True, slots=True)
class AllNotificationsRead(Event):
    """Subject and actor: the user."""


@dataclass(frozen=True, slots=True)
class DemoAdded(Event):
    """Subject and actor: the first user of a made-up batch, which stands in all tables already; nothing folds it."""
