"""read_notification and its counts: what each user has read, and what goes with a deleted post."""

from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from projections.projector import Projector
from tests.support.blog import Blog
from tests.support.notification_rows import counts, followed_by, notification
from tests.support.projection_spec import ReadSide, assert_table


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
