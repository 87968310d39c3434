"""Who may write: every command asks, and one that is refused changes nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from app.commands.activation import DeactivateUser, deactivate_user
from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from app.commands.posts import DeletePost, EditPost, PublishPost, delete_post, edit_post, publish_post
from app.commands.sessions import begin_session, end_all_sessions
from app.commands.subscriptions import (
    Subscribe,
    ToggleSubscription,
    Unsubscribe,
    subscribe,
    toggle_subscription,
    unsubscribe,
)
from app.errors import AccessEnded
from tests.support.blog import Blog

NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a command, since when they are signed in, and what the command is about."""

    id: UUID
    issued_at: datetime | None
    own_post: UUID
    post: UUID
    author: UUID
    notification: UUID


Command = Callable[[Blog, Caller], Awaitable[object]]

COMMANDS: dict[str, Command] = {
    "publish": lambda blog, by: publish_post(
        blog.store, PublishPost(author_id=by.id, title="T", content="C", token_issued_at=by.issued_at)
    ),
    "edit": lambda blog, by: edit_post(
        blog.store,
        EditPost(post_id=by.own_post, author_id=by.id, title="T", content=None, token_issued_at=by.issued_at),
    ),
    "delete": lambda blog, by: delete_post(
        blog.store, DeletePost(post_id=by.own_post, author_id=by.id, token_issued_at=by.issued_at)
    ),
    "like": lambda blog, by: like_post(
        blog.store, LikePost(post_id=by.own_post, user_id=by.id, token_issued_at=by.issued_at)
    ),
    "unlike": lambda blog, by: unlike_post(
        blog.store, UnlikePost(post_id=by.post, user_id=by.id, token_issued_at=by.issued_at)
    ),
    "toggle a like": lambda blog, by: toggle_like(
        blog.store, ToggleLike(post_id=by.post, user_id=by.id, token_issued_at=by.issued_at)
    ),
    "like what is not there": lambda blog, by: like_post(
        blog.store, LikePost(post_id=NOBODY, user_id=by.id, token_issued_at=by.issued_at)
    ),
    "subscribe": lambda blog, by: subscribe(
        blog.store, Subscribe(subscriber_id=by.id, target_user_id=by.author, token_issued_at=by.issued_at)
    ),
    "unsubscribe": lambda blog, by: unsubscribe(
        blog.store, Unsubscribe(subscriber_id=by.id, target_user_id=by.author, token_issued_at=by.issued_at)
    ),
    "toggle a subscription": lambda blog, by: toggle_subscription(
        blog.store, ToggleSubscription(subscriber_id=by.id, target_user_id=by.author, token_issued_at=by.issued_at)
    ),
    "subscribe to nobody": lambda blog, by: subscribe(
        blog.store, Subscribe(subscriber_id=by.id, target_user_id=NOBODY, token_issued_at=by.issued_at)
    ),
    "read a notification": lambda blog, by: read_notification(
        blog.store,
        ReadNotification(notification_id=by.notification, user_id=by.id, token_issued_at=by.issued_at),
    ),
    "read all": lambda blog, by: read_all_notifications(
        blog.store, ReadAllNotifications(user_id=by.id, token_issued_at=by.issued_at)
    ),
}

_WRITTEN = """
SELECT
    (SELECT string_agg(e::text, ' ' ORDER BY e.tx, e.position) FROM event e) AS events,
    (SELECT string_agg(p::text, ' ' ORDER BY p.id) FROM posts p) AS posts,
    (SELECT string_agg(l::text, ' ' ORDER BY l.id) FROM likes l) AS likes,
    (SELECT string_agg(s::text, ' ' ORDER BY s.id) FROM subscriptions s) AS subscriptions,
    (SELECT string_agg(n::text, ' ' ORDER BY n.id) FROM notifications n) AS notifications
"""


@pytest.fixture
async def caller(blog: Blog) -> Caller:
    """Somebody who is signed in, likes a post, follows its author and has a notification of it."""
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.announce()
    session = await begin_session(blog.store, user_id=bob.id, days=1)
    return Caller(
        id=bob.id,
        issued_at=session.issued_at,
        own_post=(await blog.post(bob)).id,
        post=post.id,
        author=ada.id,
        notification=await blog.notification_of(bob, post),
    )


async def refused(blog: Blog, caller: Caller, command: str) -> None:
    """Hold that the command is refused, and changes nothing."""
    before = await written(blog)
    with pytest.raises(AccessEnded):
        await COMMANDS[command](blog, caller)
    assert await written(blog) == before


async def written(blog: Blog) -> tuple[object, ...]:
    row = await blog.sql.fetchrow(_WRITTEN)
    assert row is not None
    return tuple(row)


@pytest.mark.parametrize("command", [name for name in COMMANDS if " not there" not in name and "nobody" not in name])
async def test_whoever_is_signed_in_may_write(blog: Blog, caller: Caller, command: str) -> None:
    await COMMANDS[command](blog, caller)


@pytest.mark.parametrize("command", COMMANDS)
async def test_who_was_deactivated_writes_nothing_more(blog: Blog, caller: Caller, command: str) -> None:
    await deactivate_user(blog.store, DeactivateUser(login="bob"))
    for issued_at in (caller.issued_at, datetime.now(UTC) + timedelta(hours=1), None):
        await refused(blog, replace(caller, issued_at=issued_at), command)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_token_from_before_all_were_ended_writes_nothing_more(blog: Blog, caller: Caller, command: str) -> None:
    assert caller.issued_at is not None
    await end_all_sessions(blog.store, user_id=caller.id, token_issued_at=caller.issued_at)
    await refused(blog, caller, command)


@pytest.mark.parametrize("command", COMMANDS)
async def test_nobody_writes_who_is_not_there(blog: Blog, caller: Caller, command: str) -> None:
    ghost = Caller(
        id=uuid4(),
        issued_at=datetime.now(UTC),
        own_post=caller.own_post,
        post=caller.post,
        author=caller.author,
        notification=caller.notification,
    )
    await refused(blog, ghost, command)


async def test_a_token_from_after_all_were_ended_writes(blog: Blog, caller: Caller) -> None:
    await blog.sql.execute("UPDATE users SET tokens_since = $1", caller.issued_at)
    await COMMANDS["toggle a like"](blog, caller)
    assert caller.issued_at is not None
    await blog.sql.execute("UPDATE users SET tokens_since = $1", caller.issued_at + timedelta(seconds=1))
    await refused(blog, caller, "toggle a like")


async def test_who_was_deactivated_is_still_followed_and_liked(blog: Blog, caller: Caller) -> None:
    await deactivate_user(blog.store, DeactivateUser(login="ada"))
    for command in ("unlike", "toggle a like", "unsubscribe", "subscribe"):
        await COMMANDS[command](blog, caller)
