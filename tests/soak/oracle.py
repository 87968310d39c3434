"""What must be true: plain dictionaries that follow the commands. It knows nothing of PostgreSQL, Redis or HTTP.

Where the system leaves something open (who is notified while subscriptions change, whether a notification that was on
its way is read), the oracle says so, until `settle` has seen how it came.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class User:
    """A person, and the header that signs them in."""

    id: str
    username: str
    email: str
    created_at: str
    headers: dict[str, str]


@dataclass(slots=True)
class Post:
    """A post that stands. `announcing` until a quiet moment has shown that its subscribers have been notified."""

    id: str
    author_id: str
    title: str
    content: str
    version: int
    created_at: str
    updated_at: str
    moment: int
    announcing: bool = False

    @property
    def age(self) -> tuple[datetime, str]:
        """What lists of posts are sorted by."""
        return datetime.fromisoformat(self.created_at), self.id


@dataclass(slots=True)
class Notice:
    """A notification. `certain`: it must come; `arrived`: it was seen; `is_read` None: that must be seen."""

    message: str
    certain: bool
    arrived: bool = False
    is_read: bool | None = False
    id: str = ""
    created_at: str = ""


@dataclass(slots=True)
class Oracle:
    """Everything that stands; and the authors of all posts, deleted ones too.

    Likes and subscriptions hold the moment at which they were made. What was done at once shares one.
    """

    users: dict[str, User] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    authors: dict[str, str] = field(default_factory=dict)
    likes: dict[tuple[str, str], int] = field(default_factory=dict)
    follows: dict[tuple[str, str], int] = field(default_factory=dict)
    notices: dict[tuple[str, str], Notice] = field(default_factory=dict)
    now: int = 0

    def register(self, body: Json, headers: dict[str, str]) -> None:
        """There is a new user."""
        known = {name: body[name] for name in ("id", "username", "email", "created_at")}
        self.users[body["id"]] = User(**known, headers=headers)

    def publish(self, author_id: str, body: Json, *, moment: int, announced: bool = True) -> None:
        """There is a new post; whoever followed its author at that moment is notified, if it was announced at all."""
        known = {name: body[name] for name in ("id", "title", "content", "version", "created_at", "updated_at")}
        post = self.posts[body["id"]] = Post(author_id=author_id, moment=moment, **known)
        self.authors[post.id] = author_id
        for (subscriber, target), since in self.follows.items():
            if announced and target == author_id and since <= moment:
                self._notify(subscriber, post, certain=since < moment)

    def edit(self, post_id: str, body: Json) -> None:
        """A post has another title, content and version."""
        post = self.posts[post_id]
        post.title, post.content = body["title"], body["content"]
        post.version, post.updated_at = body["version"], body["updated_at"]

    def delete(self, post_id: str) -> None:
        """A post is gone, with all that hangs on it."""
        del self.posts[post_id]
        self.likes = {key: moment for key, moment in self.likes.items() if key[0] != post_id}
        self.notices = {key: notice for key, notice in self.notices.items() if key[1] != post_id}

    def like(self, post_id: str, user_id: str, *, liked: bool, moment: int) -> None:
        """The user likes the post, or does not."""
        if not liked:
            self.likes.pop((post_id, user_id), None)
        elif post_id in self.posts:
            self.likes.setdefault((post_id, user_id), moment)

    def follow(self, subscriber_id: str, target_id: str, *, subscribed: bool, moment: int) -> None:
        """The subscriber follows the target, or does not; what is being announced may or may not reach them."""
        if subscribed == ((subscriber_id, target_id) in self.follows):
            return
        for post in self.posts.values():
            if post.author_id != target_id or not post.announcing:
                continue
            notice = self.notices.get((subscriber_id, post.id))
            if notice is None and subscribed and moment <= post.moment:
                self._notify(subscriber_id, post, certain=False)
            elif notice is not None and not subscribed and not notice.arrived:
                notice.certain = False
        if subscribed:
            self.follows[subscriber_id, target_id] = moment
        else:
            del self.follows[subscriber_id, target_id]

    def read_all(self, user_id: str, *, but: Collection[str] = ()) -> None:
        """The user has read what had arrived, and perhaps what was on its way; but not that of these posts."""
        for post_id, notice in self.notices_of(user_id).items():
            if post_id not in but:
                notice.is_read = True if notice.arrived else None

    def notices_of(self, user_id: str) -> dict[str, Notice]:
        """Return the user's notifications by post."""
        return {post: notice for (user, post), notice in self.notices.items() if user == user_id}

    def settle(self) -> None:
        """Everything has arrived that was to: what has not was not sent."""
        self.notices = {key: notice for key, notice in self.notices.items() if notice.arrived}
        for post in self.posts.values():
            post.announcing = False

    def _notify(self, user_id: str, post: Post, *, certain: bool) -> None:
        author = self.users[post.author_id].username
        message = f"{author} published “{post.title}”"
        self.notices[user_id, post.id] = Notice(message=message, certain=certain)
        post.announcing = True
