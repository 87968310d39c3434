"""read_notification, read_notification_count and read_announcement: what each user was told, read and unread."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest

from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from projections.projector import Projector
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row, assert_table


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


async def test_a_post_is_announced_until_all_its_subscribers_are_notified(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    bob, eve = await followed_by(blog, ada, 2)
    post = await blog.post(ada, "News")
    await read_side.shows("read_announcement", announcement(post, post.created_at))
    await assert_table(blog.sql, "read_notification", [])
    assert await blog.announce()
    await read_side.shows(
        "read_notification",
        await notification(blog, bob, post, ada),
        await notification(blog, eve, post, ada),
    )
    await assert_table(
        blog.sql, "read_notification_count", [counts(bob, total=1, unread=1), counts(eve, total=1, unread=1)]
    )
    await assert_table(blog.sql, "read_announcement", [])
    assert not await blog.announce()


async def test_published_announced_and_folded_in_one_step_is_all_the_same(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    (bob,) = await followed_by(blog, ada, 1)
    post = await blog.post(ada)
    await blog.announce()
    await read_side.shows("read_notification", await notification(blog, bob, post, ada))
    await assert_table(blog.sql, "read_announcement", [])


async def test_a_post_of_someone_whom_nobody_follows_is_not_announced(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    await blog.post(ada)
    await read_side.shows("read_announcement")
    assert not await blog.announce()


async def test_five_subscribers_in_chunks_of_two_have_one_notification_each(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    followers = await followed_by(blog, ada, 5)
    post = await blog.post(ada)
    reached = []
    for _ in range(3):
        assert await blog.announce(chunk=2)
        await projector.fold()
        reached.append(await notified(blog, post))
    assert reached == [ids(followers[:2]), ids(followers[:4]), ids(followers)]
    assert not await blog.announce(chunk=2)
    await read_side.shows("read_announcement")


async def test_four_subscribers_in_chunks_of_two_leave_no_announcement_behind(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    followers = await followed_by(blog, ada, 4)
    post = await blog.post(ada)
    await replace(projector, notification_chunk=2).announce()
    await read_side.shows("read_announcement")
    assert await notified(blog, post) == ids(followers)


async def test_an_announcement_that_dies_in_the_middle_is_continued_without_repeating_anyone(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    followers = await followed_by(blog, ada, 5)
    post = await blog.post(ada)
    in_twos = replace(projector, notification_chunk=2)
    await blog.sql.execute(f"""
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'dead'; END $$;
        CREATE TRIGGER die BEFORE INSERT ON notifications
        FOR EACH ROW WHEN (NEW.user_id = '{followers[3].id}') EXECUTE FUNCTION die();
    """)
    try:
        with pytest.raises(asyncpg.RaiseError):
            await in_twos.announce()
        await projector.fold()
        assert await notified(blog, post) == ids(followers[:2])
    finally:
        await blog.sql.execute("DROP FUNCTION die CASCADE")
    await in_twos.announce()
    await read_side.shows("read_notification", *[await notification(blog, user, post, ada) for user in followers])
    await assert_table(blog.sql, "read_notification_count", [counts(user, total=1, unread=1) for user in followers])


async def test_who_subscribes_after_the_publication_is_not_notified_of_it(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada, late = await blog.user("ada"), await blog.user("late")
    (bob,) = await followed_by(blog, ada, 1)
    post = await blog.post(ada)
    await blog.subscribe(late, ada)
    await projector.announce()
    await read_side.shows("read_notification", await notification(blog, bob, post, ada))


async def test_who_unsubscribes_before_being_reached_is_not_notified(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    bob, eve = await followed_by(blog, ada, 2)
    post = await blog.post(ada)
    await blog.unsubscribe(eve, ada)
    await projector.announce()
    await read_side.shows("read_notification", await notification(blog, bob, post, ada))


async def test_announcements_are_made_in_the_order_of_their_posts(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    await followed_by(blog, ada, 1)
    first, second = await blog.post(ada, "One"), await blog.post(ada, "Two")
    await blog.announce()
    await read_side.shows("read_announcement", announcement(second, second.created_at))
    assert len(await notified(blog, first)) == 1


async def test_reading_one_changes_one_and_the_own_count(blog: Blog, read_side: ReadSide, projector: Projector) -> None:
    ada = await blog.user("ada")
    bob, eve = await followed_by(blog, ada, 2)
    post = await blog.post(ada)
    await projector.announce()
    await projector.fold()
    command = ReadNotification(notification_id=await blog.notification_of(bob, post), user_id=bob.id)
    await read_notification(blog.store, command)
    await read_notification(blog.store, command)
    await read_side.shows(
        "read_notification",
        await notification(blog, bob, post, ada, is_read=True),
        await notification(blog, eve, post, ada),
    )
    await assert_table(
        blog.sql, "read_notification_count", [counts(bob, total=1, unread=0), counts(eve, total=1, unread=1)]
    )


async def test_sent_and_read_in_one_step_is_counted_as_read(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    (bob,) = await followed_by(blog, ada, 1)
    post = await blog.post(ada)
    await projector.announce()
    command = ReadNotification(notification_id=await blog.notification_of(bob, post), user_id=bob.id)
    await read_notification(blog.store, command)
    await read_side.shows("read_notification_count", counts(bob, total=1, unread=0))


async def test_reading_all_leaves_others_and_later_ones_unread(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    bob, eve = await followed_by(blog, ada, 2)
    for title in ("One", "Two"):
        await blog.post(ada, title)
    await projector.announce()
    await projector.fold()
    assert (await read_all_notifications(blog.store, ReadAllNotifications(user_id=bob.id))).value == 2
    later = await blog.post(ada, "Three")
    await projector.announce()
    await read_side.shows("read_notification_count", counts(bob, total=3, unread=1), counts(eve, total=3, unread=3))
    unread = await blog.sql.fetchval("SELECT post_id FROM read_notification WHERE user_id = $1 AND NOT is_read", bob.id)
    assert unread == later.id


async def test_a_deleted_post_takes_its_notifications_along_read_or_not(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    bob, eve = await followed_by(blog, ada, 2)
    kept, deleted = await blog.post(ada, "Kept"), await blog.post(ada, "Deleted")
    await projector.announce()
    await read_all_notifications(blog.store, ReadAllNotifications(user_id=eve.id))
    await projector.fold()
    await blog.delete(deleted)
    await read_side.shows(
        "read_notification",
        await notification(blog, bob, kept, ada),
        await notification(blog, eve, kept, ada, is_read=True),
    )
    await assert_table(
        blog.sql, "read_notification_count", [counts(bob, total=1, unread=1), counts(eve, total=1, unread=0)]
    )
    await blog.delete(kept)
    await read_side.shows("read_notification")
    await assert_table(blog.sql, "read_notification_count", [])


async def test_a_post_deleted_while_it_is_announced_leaves_nothing(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    await followed_by(blog, ada, 3)
    post = await blog.post(ada)
    await blog.announce(chunk=2)
    await projector.fold()
    await blog.announce(chunk=1)
    await blog.delete(post)
    assert not await blog.announce()
    await read_side.shows("read_notification")
    await assert_table(blog.sql, "read_notification_count", [])
    await assert_table(blog.sql, "read_announcement", [])
