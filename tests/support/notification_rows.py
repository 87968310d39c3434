"""Rows of the notifications' read tables, and followers to be notified, as tests speak of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from tests.support.blog import Blog
from tests.support.projection_spec import Row


async def notification(
    blog: Blog, user: RegisteredUser, post: WrittenPost, author: RegisteredUser, *, is_read: bool = False
) -> Row:
    written = await blog.sql.fetchrow(
        "SELECT id, created_at FROM notifications WHERE user_id = $1 AND post_id = $2", user.id, post.id
    )
    assert written is not None
    return {
        "id": written["id"],
        "user_id": user.id,
        "post_id": post.id,
        "message": f"{author.username} published “{post.title}”",
        "is_read": is_read,
        "created_at": written["created_at"],
    }


def counts(user: RegisteredUser, *, total: int, unread: int) -> Row:
    return {"user_id": user.id, "total": total, "unread": unread}


def announcement(post: WrittenPost, since: datetime) -> Row:
    return {"post_id": post.id, "author_id": post.author_id, "since": since}


async def followed_by(blog: Blog, author: RegisteredUser, number: int) -> list[RegisteredUser]:
    """Return the followers in the order in which they are notified."""
    followers = await blog.users(number)
    for follower in followers:
        await blog.subscribe(follower, author)
    return sorted(followers, key=lambda follower: follower.id)


async def notified(blog: Blog, post: WrittenPost) -> list[UUID]:
    rows = await blog.sql.fetch("SELECT user_id FROM read_notification WHERE post_id = $1 ORDER BY user_id", post.id)
    return [row["user_id"] for row in rows]


def ids(users: Sequence[RegisteredUser]) -> list[UUID]:
    return [user.id for user in users]
