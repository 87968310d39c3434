"""A projection whose fold fails rests and is tried again; the others go on without it, and it catches up."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from projections.engine.checkpoint import Connection, record_failure
from projections.projector import Projector
from tests.projections.conftest import OpenRunner
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, assert_table

_OBSTACLE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room for ranks'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON read_post_rank FOR EACH ROW EXECUTE FUNCTION refuse();
"""


async def state(sql: Connection, name: str = "ranking") -> dict[str, Any]:
    row = await sql.fetchrow("SELECT status, error, failures FROM checkpoint WHERE projection = $1", name)
    assert row is not None
    return dict(row)


async def remove_obstacle(sql: Connection) -> None:
    await sql.execute("DROP FUNCTION IF EXISTS refuse CASCADE")


async def let_rest(sql: Connection, interval: str) -> None:
    """Have the ranking rest for so long from now on; a negative interval ends its rest."""
    await sql.execute(
        "UPDATE checkpoint SET retry_at = clock_timestamp() + $1::text::interval WHERE projection = 'ranking'",
        interval,
    )


@pytest.fixture
async def obstacle(sql: Connection) -> AsyncIterator[None]:
    await sql.execute(_OBSTACLE)
    yield
    await remove_obstacle(sql)


@pytest.mark.usefixtures("obstacle")
async def test_a_failing_projection_is_recorded_and_the_others_go_on(blog: Blog, projector: Projector) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    await projector.fold()
    assert await state(blog.sql) == {
        "status": "failing",
        "error": "RaiseError: no room for ranks",
        "failures": 1,
    }
    await assert_table(blog.sql, "read_post_rank", [])
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    others = await blog.sql.fetch(
        "SELECT DISTINCT status, snapshot::text FROM checkpoint WHERE projection <> 'ranking'"
    )
    assert [row["status"] for row in others] == ["running"]


async def test_a_projection_whose_table_is_missing_is_recorded_and_the_others_go_on(
    blog: Blog, read_side: ReadSide, open_runner: OpenRunner
) -> None:
    post = await blog.post(await blog.user("ada"))
    await blog.sql.execute("ALTER TABLE read_post_rank RENAME TO elsewhere")
    try:
        await open_runner().catch_up()
    finally:
        await blog.sql.execute("ALTER TABLE elsewhere RENAME TO read_post_rank")
    assert await blog.sql.fetchval("SELECT id FROM read_post") == post.id
    assert await state(blog.sql) == {
        "status": "failing",
        "error": 'UndefinedTableError: relation "read_post_rank" does not exist',
        "failures": 1,
    }
    await let_rest(blog.sql, "-1 second")
    await read_side.projector.fold()
    await read_side.is_exact()


@pytest.mark.usefixtures("obstacle")
async def test_a_failing_projection_is_left_alone_while_it_rests(blog: Blog, projector: Projector) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await projector.fold()
    await let_rest(blog.sql, "1 hour")
    await blog.like(post, ada)
    await projector.fold()
    assert (await state(blog.sql))["failures"] == 1
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1


@pytest.mark.usefixtures("obstacle")
async def test_a_failing_projection_is_tried_again_after_its_rest(blog: Blog, projector: Projector) -> None:
    await blog.post(await blog.user("ada"))
    await projector.fold()
    await let_rest(blog.sql, "-1 second")
    await projector.fold()
    assert (await state(blog.sql))["failures"] == 2


async def test_rests_grow_up_to_half_a_minute(blog: Blog) -> None:
    rests = [(await record_failure(blog.sql, "ranking", "no room"))[1].total_seconds() for _ in range(12)]
    assert [round(rest, 1) for rest in rests] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30]


@pytest.mark.usefixtures("obstacle")
async def test_when_the_obstacle_is_gone_a_projection_catches_up_and_joins_the_others(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await projector.fold()
    await blog.like(post, ada)
    await projector.fold()
    await remove_obstacle(blog.sql)
    await let_rest(blog.sql, "-1 second")
    await projector.fold()
    assert await state(blog.sql) == {"status": "running", "error": None, "failures": 0}
    rank = {"post_id": post.id, "author_id": ada.id, "like_count": 1}
    await assert_table(blog.sql, "read_post_rank", [rank])
    await blog.like(post, bob)
    await projector.fold()
    assert await blog.sql.fetchval("SELECT count(DISTINCT snapshot::text) FROM checkpoint") == 1
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.usefixtures("obstacle")
async def test_a_projection_comes_back_by_itself(blog: Blog, read_side: ReadSide, projector: Projector) -> None:
    await blog.post(await blog.user("ada"))
    await projector.fold()
    await remove_obstacle(blog.sql)
    while (await state(blog.sql))["status"] == "failing":
        await projector.fold()
    await read_side.is_exact()


async def test_a_paused_projection_stands_still_and_catches_up_afterwards(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    await blog.sql.execute("UPDATE checkpoint SET status = 'paused' WHERE projection = 'ranking'")
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await projector.fold()
    await blog.like(post, ada)
    await projector.fold()
    await assert_table(blog.sql, "read_post_rank", [])
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    await blog.sql.execute("UPDATE checkpoint SET status = 'running' WHERE projection = 'ranking'")
    await projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.usefixtures("obstacle")
async def test_a_failing_projection_does_not_hold_up_the_backlog_of_the_others(
    blog: Blog, read_side: ReadSide, open_runner: OpenRunner
) -> None:
    ada, bob = await blog.users(2)
    for _ in range(3):
        await blog.like(await blog.post(ada), bob)
    await open_runner(limit=2).catch_up()
    await let_rest(blog.sql, "1 hour")
    assert await blog.sql.fetchval("SELECT sum(like_count) FROM read_post") == 3
    await remove_obstacle(blog.sql)
    await let_rest(blog.sql, "-1 second")
    await open_runner(limit=2).catch_up()
    await read_side.folds_nothing_again()
    await read_side.is_exact()
