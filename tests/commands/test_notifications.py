"""Notifications: read by whom they belong to, and written once each however many workers write them."""

import asyncio
from uuid import uuid4

import pytest

from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    ReadState,
    read_all_notifications,
    read_notification,
)
from app.errors import NotificationNotFound
from tests.support.blog import Blog, happened


async def test_reading_marks_it_read_once(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.announce()
    id_ = await blog.notification_of(bob, post)
    command = ReadNotification(notification_id=id_, user_id=bob.id)
    first, second = await read_notification(blog.store, command), await read_notification(blog.store, command)
    assert first.value == second.value == ReadState(id=id_, is_read=True)
    assert first.token is not None
    assert second.token is None
    assert (await happened(blog.sql))[-1] == ("NotificationRead", id_, bob.id, {})


async def test_someone_elses_notification_is_not_found(blog: Blog) -> None:
    ada, bob, eve = await blog.users(3)
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.announce()
    id_ = await blog.notification_of(bob, post)
    for user_id in (eve.id, ada.id):
        with pytest.raises(NotificationNotFound):
            await read_notification(blog.store, ReadNotification(notification_id=id_, user_id=user_id))
    with pytest.raises(NotificationNotFound):
        await read_notification(blog.store, ReadNotification(notification_id=uuid4(), user_id=bob.id))
    assert await blog.sql.fetchval("SELECT count(*) FROM notifications WHERE is_read") == 0


async def test_reading_all_marks_the_own_ones_and_counts_them(blog: Blog) -> None:
    ada, bob, eve = await blog.users(3)
    for follower in (bob, eve):
        await blog.subscribe(follower, ada)
    for _ in range(3):
        await blog.post(ada)
        await blog.announce()
    command = ReadAllNotifications(user_id=bob.id)
    first, second = await read_all_notifications(blog.store, command), await read_all_notifications(blog.store, command)
    assert (first.value, second.value) == (3, 0)
    assert second.token is None
    unread = await blog.sql.fetch("SELECT user_id FROM notifications WHERE NOT is_read")
    assert [row["user_id"] for row in unread] == [eve.id] * 3
    assert (await happened(blog.sql))[-1] == ("AllNotificationsRead", bob.id, bob.id, {})


async def test_many_workers_announcing_at_once_notify_everyone_once(blog: Blog) -> None:
    authors, followers = await blog.users(2), await blog.users(7)
    for author in authors:
        for follower in followers:
            await blog.subscribe(follower, author)
    posts = [await blog.post(author) for author in authors for _ in range(2)]

    async def announce() -> None:
        while await blog.waiting():
            await blog.announce(chunk=2)

    await asyncio.gather(*(announce() for _ in range(5)))
    assert await blog.sql.fetchval("SELECT count(*) FROM announcements") == 0
    counted = await blog.sql.fetch("SELECT post_id, count(DISTINCT user_id), count(*) FROM notifications GROUP BY 1")
    assert {tuple(row) for row in counted} == {(post.id, 7, 7) for post in posts}


async def test_each_chunk_says_whom_it_reached(blog: Blog) -> None:
    ada = await blog.user("ada")
    followers = sorted(await blog.users(4), key=lambda follower: follower.id)
    for follower in followers:
        await blog.subscribe(follower, ada)
    await blog.post(ada)
    while await blog.announce(chunk=2):
        pass
    ranges = [event[3] for event in await happened(blog.sql) if event[0] == "NotificationsSent"]
    assert ranges == [
        {"after": None, "upto": str(followers[1].id)},
        {"after": str(followers[1].id), "upto": str(followers[3].id)},
        {"after": str(followers[3].id), "upto": str(followers[3].id)},
    ]
