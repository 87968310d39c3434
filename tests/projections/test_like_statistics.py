"""read_likes_daily and read_likes_quarter_hourly: the likes that stand, by the moment they were given, in UTC."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from app.commands.posts import WrittenPost
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row, assert_table

ALL = UUID(int=0)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def buckets(column: str, likes: Mapping[date, Mapping[WrittenPost, int]], *, author_id: UUID) -> list[Row]:
    """Return the rows of all scopes for the likes of one author's posts."""
    rows: list[Row] = []
    for bucket, counts in likes.items():
        scopes = [("all", ALL, sum(counts.values())), ("author", author_id, sum(counts.values()))]
        scopes += [("post", post.id, number) for post, number in counts.items()]
        more = {"at_least": 0} if column == "day" else {}  # of few likes
        rows += [
            {"scope": scope, "scope_id": id_, column: bucket, "likes": number, **more} for scope, id_, number in scopes
        ]
    return rows


@pytest.mark.parametrize(
    ("moment", "day", "quarter_hour"),
    [
        (LAST_MOMENT, date(2025, 12, 31), datetime(2025, 12, 31, 23, 45, tzinfo=UTC)),
        (NEW_YEAR, date(2026, 1, 1), NEW_YEAR),
        (
            datetime(2026, 3, 29, 1, 14, 59, 999_999, tzinfo=UTC),
            date(2026, 3, 29),
            datetime(2026, 3, 29, 1, tzinfo=UTC),
        ),
        (
            datetime(2028, 2, 29, 12, 15, tzinfo=UTC),
            date(2028, 2, 29),
            datetime(2028, 2, 29, 12, 15, tzinfo=UTC),
        ),
        (
            datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),  # before the origin of the quarter-hours
            date(1999, 12, 31),
            datetime(1999, 12, 31, 23, 45, tzinfo=UTC),
        ),
    ],
    ids=str,
)
async def test_a_like_falls_into_its_day_and_quarter_hour(
    blog: Blog, read_side: ReadSide, moment: datetime, day: date, quarter_hour: datetime
) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like_at(moment, post, bob)
    await read_side.shows("read_likes_daily", *buckets("day", {day: {post: 1}}, author_id=ada.id))
    await assert_table(
        blog.sql,
        "read_likes_quarter_hourly",
        buckets("quarter_hour", {quarter_hour: {post: 1}}, author_id=ada.id),
    )


async def test_a_like_given_now_falls_into_the_databases_today(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    moment = await blog.like(post, ada)
    await read_side.shows("read_likes_daily", *buckets("day", {moment.date(): {post: 1}}, author_id=ada.id))


async def test_likes_add_up_per_post_author_and_altogether(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    first, second = await blog.post(ada), await blog.post(ada)
    await blog.like_at(LAST_MOMENT, first, bob)
    await read_side.projector.fold()
    await blog.like_at(LAST_MOMENT, first, eve)
    await blog.like_at(LAST_MOMENT, second, eve)
    await blog.like_at(NEW_YEAR, second, bob)
    days = {date(2025, 12, 31): {first: 2, second: 1}, date(2026, 1, 1): {second: 1}}
    await read_side.shows("read_likes_daily", *buckets("day", days, author_id=ada.id))


async def test_authors_are_counted_apart(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    by_ada, by_bob = await blog.post(ada), await blog.post(bob)
    await blog.like_at(NEW_YEAR, by_ada, bob)
    await blog.like_at(NEW_YEAR, by_bob, ada)
    day = {"day": date(2026, 1, 1), "at_least": 0}
    await read_side.shows(
        "read_likes_daily",
        {"scope": "all", "scope_id": ALL, **day, "likes": 2},
        {"scope": "author", "scope_id": ada.id, **day, "likes": 1},
        {"scope": "author", "scope_id": bob.id, **day, "likes": 1},
        {"scope": "post", "scope_id": by_ada.id, **day, "likes": 1},
        {"scope": "post", "scope_id": by_bob.id, **day, "likes": 1},
    )


async def test_a_like_taken_back_leaves_the_bucket_in_which_it_was_given(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like_at(LAST_MOMENT, post, ada)
    await blog.like_at(NEW_YEAR, post, bob)
    await read_side.projector.fold()
    await blog.unlike(post, ada)
    await read_side.shows("read_likes_daily", *buckets("day", {date(2026, 1, 1): {post: 1}}, author_id=ada.id))
    await assert_table(
        blog.sql,
        "read_likes_quarter_hourly",
        buckets("quarter_hour", {NEW_YEAR: {post: 1}}, author_id=ada.id),
    )


async def test_a_bucket_that_empties_has_no_row(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    await read_side.projector.fold()
    await blog.unlike(post, ada)
    await read_side.shows("read_likes_daily")
    await assert_table(blog.sql, "read_likes_quarter_hourly", [])


async def test_a_like_moved_to_another_day_in_one_step_counts_there(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like_at(LAST_MOMENT, post, ada)
    await read_side.projector.fold()
    await blog.unlike(post, ada)
    await blog.like_at(NEW_YEAR, post, ada)
    await read_side.shows("read_likes_daily", *buckets("day", {date(2026, 1, 1): {post: 1}}, author_id=ada.id))


async def test_a_deleted_post_takes_its_likes_out_of_every_bucket(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    kept, deleted = await blog.post(ada), await blog.post(ada)
    await blog.like_at(LAST_MOMENT, deleted, ada)
    await blog.like_at(NEW_YEAR, deleted, bob)
    await blog.like_at(NEW_YEAR, kept, bob)
    await read_side.projector.fold()
    await blog.delete(deleted)
    await read_side.shows("read_likes_daily", *buckets("day", {date(2026, 1, 1): {kept: 1}}, author_id=ada.id))


async def test_like_unlike_and_delete_in_one_step_leave_nothing(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    post = await blog.post(ada)
    await blog.like_at(NEW_YEAR, post, ada)
    await blog.like_at(NEW_YEAR, post, bob)
    await read_side.projector.fold()
    await blog.like_at(LAST_MOMENT, post, eve)
    await blog.unlike(post, ada)
    await blog.delete(post)
    await read_side.shows("read_likes_daily")
    await assert_table(blog.sql, "read_likes_quarter_hourly", [])
