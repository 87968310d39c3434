"""Any text for a cursor, on every list: one that it made itself goes on from there, any other is refused."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import InvalidCursor
from app.queries.cursors import Keyset, MostLiked, Newest
from app.queries.home_feed import HomeFeed
from app.queries.list_notifications import ListNotifications, Status
from app.queries.list_post_likes import ListPostLikes
from app.queries.list_posts import ListPosts, RankPosts
from app.queries.list_subscriptions import ListSubscribers, ListSubscriptions
from app.queries.reader import Reader
from tests.support.read_rows import ReadRows, minutes

#: A key, which is a moment or a number of likes, and an id.
Place = tuple[Any, UUID]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)
LETTERS = "ABCXYZabcxyz0189-_"
LISTS = 10

any_list = st.integers(0, LISTS - 1)
limits = st.integers(1, 4)
some_database = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


#: Of a cursor: the list's tag, a number, an id.
_LENGTH = 6 + 8 + 16


@dataclass(frozen=True)
class Listed:
    """A list: how it is asked for, and all that is in it, from its beginning."""

    query: Callable[..., Any]
    keyset: Keyset[Any]
    items: list[Place]

    def below(self, place: Place, limit: int) -> list[UUID]:
        return [identifier for key, identifier in self.items if (key, identifier) < place][:limit]

    def place(self, cursor: str) -> Place | None:
        """Read a cursor as it is said to be: the list's tag, the key in microseconds or likes, the id."""
        if len(cursor) != 40 or not cursor.isascii():
            return None
        try:
            data = urlsafe_b64decode(cursor)
        except ValueError:
            return None
        if len(data) != _LENGTH or urlsafe_b64encode(data).decode() != cursor or data[:6] != self.keyset.tag:
            return None
        number, identifier = struct.unpack(">q16s", data[6:])
        if isinstance(self.keyset, MostLiked):
            return (number, UUID(bytes=identifier)) if 0 <= number < 2**31 else None
        try:
            return EPOCH + timedelta(microseconds=number), UUID(bytes=identifier)
        except OverflowError:
            return None


@pytest.fixture
async def lists(rows: ReadRows) -> list[Listed]:
    """Every list there is, each with some items of the same moment."""
    ada, bob = await rows.profile("ada", posts=6, subscribers=6), await rows.profile("bob", posts=6, subscriptions=6)
    at = [minutes(n // 2) for n in range(6)]
    likes = [n // 3 for n in range(6)]
    own = [await rows.post(ada, at=at[n], likes=likes[n]) for n in range(6)]
    others = [await rows.post(bob, at=at[n], likes=likes[n]) for n in range(6)]
    people = [await rows.profile(f"user{n}") for n in range(6)]
    for n in range(6):
        await rows.like(own[5], people[n], at=at[n])
        await rows.subscription(people[n], ada, at=at[n])
        await rows.subscription(bob, people[n], at=at[n])
    await rows.subscription(people[0], bob, at=at[0])
    notes = [await rows.notification(bob, at=at[n], is_read=n % 3 == 0) for n in range(6)]
    unread = [n for n in range(6) if n % 3]
    every, all_at, all_likes = own + others, at * 2, likes * 2
    # Whoever follows both authors has all posts in the feed.
    tag, ranked = Newest.of, MostLiked.of
    return [
        listed(partial(ListPosts, viewer_id=None), tag("newest-posts"), all_at, every),
        listed(partial(ListPosts, viewer_id=bob, author_id=ada), tag("newest-posts", ada), at, own),
        listed(partial(RankPosts, viewer_id=None), ranked("most-liked-posts"), all_likes, every),
        listed(partial(RankPosts, viewer_id=bob, author_id=ada), ranked("most-liked-posts", ada), likes, own),
        listed(partial(ListPostLikes, post_id=own[5]), tag("post-likes", own[5]), at, people),
        listed(partial(ListSubscribers, user_id=ada), tag("subscribers", ada), at, people),
        listed(partial(ListSubscriptions, subscriber_id=bob), tag("subscriptions", bob), at, people),
        listed(partial(HomeFeed, viewer_id=people[0]), tag("feed", people[0]), all_at, every),
        listed(partial(ListNotifications, viewer_id=bob, status=Status.ALL), tag("notifications-all", bob), at, notes),
        listed(
            partial(ListNotifications, viewer_id=bob),
            tag("notifications-unread", bob),
            [at[n] for n in unread],
            [notes[n] for n in unread],
        ),
    ]


def listed(query: Callable[..., Any], keyset: Keyset[Any], keys: list[Any], ids: list[UUID]) -> Listed:
    return Listed(query, keyset, sorted(zip(keys, ids, strict=True), reverse=True))


async def shown(reader: Reader, of: Listed, *, cursor: str | None, limit: int) -> list[UUID]:
    page = await of.query(cursor=cursor, limit=limit).fetch(reader)
    return [item["id"] if "id" in item else item["user"]["id"] for item in page.items]


@some_database
@given(number=any_list, limit=limits, data=st.data())
async def test_from_any_place_a_list_goes_on_with_what_is_below(
    lists: list[Listed], reader: Reader, *, number: int, limit: int, data: st.DataObject
) -> None:
    of = lists[number]
    key, identifier = data.draw(st.sampled_from(of.items))
    if isinstance(of.keyset, MostLiked):
        near: st.SearchStrategy[Any] = st.sampled_from([0, key, key + 1, 2**31 - 1])
    else:
        near = st.one_of(
            st.sampled_from([FIRST, LAST, key, key - TICK, key + TICK]), st.datetimes(timezones=st.just(UTC))
        )
    place = data.draw(near), data.draw(st.one_of(st.just(identifier), st.uuids()))

    assert await shown(reader, of, cursor=of.keyset.encode(*place), limit=limit) == of.below(place, limit)


@some_database
@given(number=any_list, limit=limits, data=st.data())
async def test_a_forged_cursor_is_refused_or_a_place_in_the_same_list(
    lists: list[Listed], reader: Reader, *, number: int, limit: int, data: st.DataObject
) -> None:
    of = lists[number]
    cursor = of.keyset.encode(*data.draw(st.sampled_from(of.items)))
    begins = data.draw(st.integers(0, len(cursor)))
    ends = data.draw(st.integers(begins, len(cursor)))
    put = data.draw(st.one_of(st.just(""), st.text(LETTERS, max_size=12), st.text(max_size=3), st.just("=")))
    forged = cursor[:begins] + put + cursor[ends:]

    place = of.place(forged)
    if place is None:
        with pytest.raises(InvalidCursor):
            await shown(reader, of, cursor=forged, limit=limit)
    else:
        assert await shown(reader, of, cursor=forged, limit=limit) == of.below(place, limit)


@some_database
@given(number=any_list, other=any_list, data=st.data())
async def test_a_cursor_of_another_list_is_refused(
    lists: list[Listed], reader: Reader, *, number: int, other: int, data: st.DataObject
) -> None:
    of = lists[number]
    cursor = lists[other].keyset.encode(*data.draw(st.sampled_from(lists[other].items)))
    if other == number:
        assert await shown(reader, of, cursor=cursor, limit=100) != await shown(reader, of, cursor=None, limit=100)
    else:
        with pytest.raises(InvalidCursor):
            await shown(reader, of, cursor=cursor, limit=100)


async def test_every_list_shows_all_that_is_in_it(lists: list[Listed], reader: Reader) -> None:
    assert len(lists) == LISTS
    for of in lists:
        assert await shown(reader, of, cursor=None, limit=100) == [identifier for _, identifier in of.items]
