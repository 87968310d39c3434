"""A user's notifications, over rows put straight into the read tables."""

from functools import partial
from uuid import UUID

from app.ids import new_id
from app.queries.list_notifications import ListNotifications, Status
from app.queries.reader import Reader
from tests.support.pages import ids, walk
from tests.support.read_rows import ReadRows, minutes


async def test_notifications_are_the_viewers_own_and_counted(reader: Reader, rows: ReadRows) -> None:
    ada, bob = await rows.profile("ada"), await rows.profile("bob")
    made = [await rows.notification(bob, at=minutes(n), is_read=n % 2 == 0) for n in range(5)]
    await rows.notification(ada)
    unread = await walk(reader, partial(ListNotifications, viewer_id=bob, limit=1))
    assert ids(unread) == [made[3], made[1]]
    assert {(page.total, page.unread_count) for page in unread} == {(2, 2)}  # type: ignore[attr-defined]
    everything = await walk(reader, partial(ListNotifications, viewer_id=bob, status=Status.ALL, limit=2))
    assert ids(everything) == made[::-1]
    assert {(page.total, page.unread_count) for page in everything} == {(5, 2)}  # type: ignore[attr-defined]


async def test_who_was_never_notified_has_an_empty_list(reader: Reader, rows: ReadRows) -> None:
    page = await ListNotifications(viewer_id=await rows.profile("ada"), limit=5).fetch(reader)
    assert (page.items, page.next_cursor, page.total, page.unread_count, page.announcing) == ([], None, 0, 0, False)


async def test_a_list_is_unsettled_while_a_post_by_someone_followed_is_announced(
    reader: Reader, rows: ReadRows
) -> None:
    ada, bob, eve = [await rows.profile(name) for name in ("ada", "bob", "eve")]
    await rows.subscription(bob, ada)
    await rows.subscription(eve, ada, at=minutes(2))  # too late for the post
    post = new_id()
    await rows.sql.execute("INSERT INTO read_announcement VALUES ($1, $2, $3)", post, ada, minutes(1))

    async def settled(viewer: UUID) -> bool:
        query = ListNotifications(viewer_id=viewer, limit=5)
        return query.settled(await query.fetch(reader))

    assert [await settled(viewer) for viewer in (ada, bob, eve)] == [True, False, True]
    await rows.sql.execute("DELETE FROM read_announcement")
    assert await settled(bob)
