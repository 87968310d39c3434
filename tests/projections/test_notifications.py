"""read_announcement and read_notification: each subscriber of a new post is told of it, once."""

from dataclasses import replace

import asyncpg
import pytest

from projections.projector import Projector
from tests.support.blog import Blog
from tests.support.notification_rows import announcement, counts, followed_by, ids, notification, notified
from tests.support.projection_spec import ReadSide, assert_table


def in_twos(projector: Projector) -> Projector:
    """The same worker, that notifies two subscribers at once."""
    return replace(projector, config=projector.config.model_copy(update={"notification_chunk": 2}))


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
    await in_twos(projector).announce()
    await read_side.shows("read_announcement")
    assert await notified(blog, post) == ids(followers)


async def test_an_announcement_that_dies_in_the_middle_is_continued_without_repeating_anyone(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    followers = await followed_by(blog, ada, 5)
    post = await blog.post(ada)
    await blog.sql.execute(f"""
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'dead'; END $$;
        CREATE TRIGGER die BEFORE INSERT ON notifications
        FOR EACH ROW WHEN (NEW.user_id = '{followers[3].id}') EXECUTE FUNCTION die();
    """)
    try:
        with pytest.raises(asyncpg.RaiseError):
            await in_twos(projector).announce()
        await projector.fold()
        assert await notified(blog, post) == ids(followers[:2])
    finally:
        await blog.sql.execute("DROP FUNCTION die CASCADE")
    await in_twos(projector).announce()
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
