"""A post's likes and its end: in whatever order and in however many steps they are folded, nothing stays behind."""

from itertools import product

import pytest

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from projections.engine.checkpoint import Connection
from tests.projections.conftest import Connect, OpenRunner
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, assert_table

_DELETE = """
WITH gone AS (DELETE FROM likes WHERE post_id = $1 RETURNING 1),
ended AS (DELETE FROM posts WHERE id = $1)
INSERT INTO event (type, subject_id, actor_id, payload)
SELECT 'PostDeleted', $1, $2, jsonb_build_object('likes', (SELECT count(*) FROM gone))
"""
_OF_POSTS = (
    "read_post",
    "read_post_like",
    "read_post_rank",
    "read_likes_daily",
    "read_likes_quarter_hourly",
    "read_likes_by_span",
    "read_notification",
    "read_notification_count",
    "read_announcement",
)


async def nothing_is_left(blog: Blog, read_side: ReadSide) -> None:
    for table in _OF_POSTS:
        await assert_table(blog.sql, table, [])
    await assert_table(blog.sql, "read_post_total", [{"singleton": True, "total": 0}])
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def like_and_change_ones_mind(blog: Blog, post: WrittenPost, users: list[RegisteredUser]) -> None:
    for user in users:
        await blog.like(post, user)
    await blog.unlike(post, users[0])


@pytest.mark.parametrize(
    ("end_is_older", "fold_between", "limit"), list(product([True, False], [True, False], [1, 2, 1000]))
)
async def test_fault_26_a_posts_end_and_its_likes_leave_nothing_in_any_order_of_their_numbers(
    blog: Blog,
    read_side: ReadSide,
    open_runner: OpenRunner,
    connect: Connect,
    *,
    end_is_older: bool,
    fold_between: bool,
    limit: int,
) -> None:
    runner = open_runner(limit=limit)
    users = await blog.users(3)
    post = await blog.post(users[0])
    await blog.like(post, users[1])
    await runner.catch_up()
    ending: Connection = await connect()
    transaction = ending.transaction()
    await transaction.start()
    if end_is_older:
        await ending.fetchval("SELECT pg_current_xact_id()::text")
    await like_and_change_ones_mind(blog, post, [users[0], users[2]])
    if fold_between:
        await runner.catch_up()
    await ending.execute(_DELETE, post.id, post.author_id)
    await transaction.commit()
    await runner.catch_up()
    await nothing_is_left(blog, read_side)


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_fault_26_a_whole_life_folded_after_its_end_leaves_nothing(
    blog: Blog, read_side: ReadSide, open_runner: OpenRunner, limit: int
) -> None:
    users = await blog.users(3)
    await blog.subscribe(users[1], users[0])
    post = await blog.post(users[0])
    await like_and_change_ones_mind(blog, post, users)
    await blog.edit(post, title="Another title")
    await blog.announce()
    await blog.delete(post)
    await open_runner(limit=limit).catch_up()
    await nothing_is_left(blog, read_side)
