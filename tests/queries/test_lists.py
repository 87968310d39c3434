"""Lists of posts, likes and subscriptions, over rows put straight into the read tables."""

from functools import partial

import pytest

from app.errors import InvalidCursor
from app.ids import new_id
from app.queries.home_feed import HomeFeed
from app.queries.list_notifications import ListNotifications
from app.queries.list_post_likes import ListPostLikes
from app.queries.list_posts import ListPosts, RankPosts
from app.queries.list_subscriptions import ListSubscribers, ListSubscriptions
from app.queries.page import Page
from app.queries.reader import Reader
from tests.support.pages import ids, walk
from tests.support.read_rows import NOON, ReadRows, minutes


async def test_posts_are_listed_once_each_newest_first_however_they_are_paged(reader: Reader, rows: ReadRows) -> None:
    ada = await rows.profile("ada", posts=7)
    same_moment = sorted([await rows.post(ada) for _ in range(4)], reverse=True)
    newer = [await rows.post(ada, at=minutes(n)) for n in (1, 2, 3)]
    for limit in (1, 2, 3, 7, 100):
        pages = await walk(reader, partial(ListPosts, viewer_id=None, limit=limit))
        assert ids(pages) == [*reversed(newer), *same_moment]
        assert {page.total for page in pages} == {7}
        assert all(len(page.items) == limit for page in pages[:-1])


async def test_a_new_post_does_not_move_the_pages_that_follow(reader: Reader, rows: ReadRows) -> None:
    ada = await rows.profile("ada")
    posts = [await rows.post(ada, at=minutes(n)) for n in range(4)]
    first = await ListPosts(viewer_id=None, limit=2).fetch(reader)
    assert first is not None
    await rows.post(ada, at=minutes(9))
    second = await ListPosts(viewer_id=None, limit=2, cursor=first.next_cursor).fetch(reader)
    assert second is not None
    assert ids([second]) == [posts[1], posts[0]]


async def test_most_liked_posts_are_listed_once_each(reader: Reader, rows: ReadRows) -> None:
    ada, bob = await rows.profile("ada", posts=3), await rows.profile("bob", posts=2)
    likes = {await rows.post(ada, likes=count): count for count in (5, 0, 5)}
    others = {await rows.post(bob, likes=count): count for count in (5, 9)}
    everything = likes | others
    pages = await walk(reader, partial(RankPosts, viewer_id=None, limit=2))
    assert ids(pages) == sorted(everything, key=lambda post: (everything[post], post), reverse=True)
    assert pages[0].total == 5
    of_ada = await walk(reader, partial(RankPosts, viewer_id=None, author_id=ada, limit=1))
    assert ids(of_ada) == sorted(likes, key=lambda post: (likes[post], post), reverse=True)
    assert of_ada[0].total == 3


async def test_an_authors_posts_are_listed_with_their_own_total(reader: Reader, rows: ReadRows) -> None:
    ada, bob = await rows.profile("ada", posts=3), await rows.profile("bob", posts=1)
    posts = [await rows.post(ada, at=minutes(n)) for n in range(3)]
    await rows.post(bob)
    pages = await walk(reader, partial(ListPosts, viewer_id=None, author_id=ada, limit=2))
    assert ids(pages) == posts[::-1]
    assert {page.total for page in pages} == {3}


@pytest.mark.parametrize("query", [ListPosts, RankPosts])
async def test_an_unknown_author_has_no_posts_or_is_a_miss(
    reader: Reader, rows: ReadRows, query: type[ListPosts | RankPosts]
) -> None:
    await rows.post(await rows.profile("ada"))
    filtered = await query(viewer_id=None, author_id=new_id(), limit=5).fetch(reader)
    assert filtered == Page(items=[], next_cursor=None, total=0)
    assert await query(viewer_id=None, author_id=new_id(), limit=5, author_must_exist=True).fetch(reader) is None


async def test_a_card_says_whether_a_viewer_likes_it_and_nothing_of_it_without_viewer(
    reader: Reader, rows: ReadRows
) -> None:
    ada, bob = await rows.profile("ada"), await rows.profile("bob")
    liked, other = await rows.post(ada, at=minutes(1), likes=1), await rows.post(ada)
    await rows.like(liked, bob)
    for query in (ListPosts, RankPosts):
        seen = await query(viewer_id=bob, limit=5).fetch(reader)
        assert seen is not None
        assert {item["id"]: item["liked_by_me"] for item in seen.items} == {liked: True, other: False}
        anonymous = await query(viewer_id=None, limit=5).fetch(reader)
        assert anonymous is not None
        assert anonymous.items[0] == {
            "id": liked,
            "title": "A title",
            "excerpt": "Words",
            "author": {"id": ada, "username": "ada"},
            "like_count": 1,
            "created_at": minutes(1),
            "updated_at": minutes(1),
        }


async def test_likes_of_a_post_are_listed_newest_first(reader: Reader, rows: ReadRows) -> None:
    post = await rows.post(await rows.profile("ada"), likes=5)
    fans = [await rows.profile(f"fan{n}") for n in range(5)]
    for n, fan in enumerate(fans):
        await rows.like(post, fan, username=f"fan{n}", at=minutes(n // 2))
    pages = await walk(reader, partial(ListPostLikes, post_id=post, limit=2))
    items = [item for page in pages for item in page.items]
    assert [item["user"]["id"] for item in items] == [
        fan for _, fan in sorted(((n // 2, fan) for n, fan in enumerate(fans)), reverse=True)
    ]
    assert items[0] == {"user": {"id": fans[4], "username": "fan4"}, "liked_at": minutes(2)}
    assert {page.total for page in pages} == {5}


async def test_likes_of_no_post_are_a_miss_and_those_of_an_unliked_one_are_none(reader: Reader, rows: ReadRows) -> None:
    post = await rows.post(await rows.profile("ada"))
    assert await ListPostLikes(post_id=new_id(), limit=5).fetch(reader) is None
    assert await ListPostLikes(post_id=post, limit=5).fetch(reader) == Page(items=[], next_cursor=None, total=0)


async def test_subscriptions_are_seen_from_both_ends(reader: Reader, rows: ReadRows) -> None:
    bob = await rows.profile("bob", subscriptions=3)
    targets = [await rows.profile(f"ada{n}", subscribers=1) for n in range(3)]
    for n, target in enumerate(targets):
        await rows.subscription(bob, target, at=minutes(n))
    pages = await walk(reader, partial(ListSubscriptions, subscriber_id=bob, limit=2))
    assert [item["user"]["id"] for page in pages for item in page.items] == targets[::-1]
    assert {page.total for page in pages} == {3}
    subscribers = await ListSubscribers(user_id=targets[0], limit=2).fetch(reader)
    assert subscribers == Page(
        items=[{"user": {"id": bob, "username": "bob"}, "since": NOON}], next_cursor=None, total=1
    )
    assert await ListSubscribers(user_id=new_id(), limit=2).fetch(reader) is None


async def test_the_feed_merges_those_whom_the_viewer_follows(reader: Reader, rows: ReadRows) -> None:
    viewer = await rows.profile("viewer")
    authors = [await rows.profile(f"author{n}", posts=4) for n in range(3)]
    stranger = await rows.profile("stranger", posts=1)
    await rows.post(stranger, at=minutes(5))
    posts = {}
    for n, author in enumerate(authors):
        await rows.subscription(viewer, author)
        for k in range(4):
            posts[await rows.post(author, at=minutes(k * (n + 1)))] = minutes(k * (n + 1))
    expected = sorted(posts, key=lambda post: (posts[post], post), reverse=True)
    for limit in (1, 5, 12):
        pages = await walk(reader, partial(HomeFeed, viewer_id=viewer, limit=limit))
        assert ids(pages) == expected
        assert {page.total for page in pages} == {12}
        assert all(item["liked_by_me"] is False for page in pages for item in page.items)


async def test_who_follows_nobody_has_an_empty_feed(reader: Reader, rows: ReadRows) -> None:
    ada = await rows.profile("ada", posts=1)
    await rows.post(ada)
    assert await HomeFeed(viewer_id=ada, limit=5).fetch(reader) == Page(items=[], next_cursor=None, total=0)


async def test_a_cursor_leads_nowhere_but_on_in_its_own_list(reader: Reader, rows: ReadRows) -> None:
    ada, bob = await rows.profile("ada"), await rows.profile("bob")
    for n in range(2):
        await rows.post(ada, at=minutes(n))
    page = await ListPosts(viewer_id=None, limit=1).fetch(reader)
    assert page is not None
    cursor = page.next_cursor
    for query in (
        ListPosts(viewer_id=None, author_id=ada, limit=1, cursor=cursor),
        RankPosts(viewer_id=None, limit=1, cursor=cursor),
        HomeFeed(viewer_id=bob, limit=1, cursor=cursor),
        ListSubscribers(user_id=ada, limit=1, cursor=cursor),
        ListNotifications(viewer_id=bob, limit=1, cursor=cursor),
    ):
        with pytest.raises(InvalidCursor):
            await query.fetch(reader)
