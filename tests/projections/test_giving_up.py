"""Projections that are paused because their fold fails for good, and what is said about it."""

from collections.abc import AsyncIterator

import pytest

from app.commands.posts import WrittenPost
from projections.engine import poison
from projections.engine.checkpoint import Connection, resume
from projections.engine.runner import Runner
from projections.projector import Projector
from tests.projections.conftest import OpenRunner
from tests.support.blog import Blog
from tests.support.obstacle import Obstacle, fold_for_good, obstacle, parked
from tests.support.projection_spec import ReadSide


@pytest.fixture
async def ranks(sql: Connection) -> AsyncIterator[Obstacle]:
    """A ranking that refuses some posts."""
    async with obstacle(sql) as ranks:
        yield ranks


@pytest.fixture
async def posts(blog: Blog, ranks: Obstacle) -> list[WrittenPost]:
    """Some posts, three of which are refused."""
    ada = await blog.user("ada")
    posts = [await blog.post(ada) for _ in range(5)]
    await ranks.refuse(*(post.id for post in posts[1:4]))
    return posts


@pytest.fixture
def gives_up(open_runner: OpenRunner, monkeypatch: pytest.MonkeyPatch, poison_events: str) -> Runner:
    """A runner that pauses at the first event that it would park."""
    monkeypatch.setattr(poison, "MOST_PARKED", 0)
    return open_runner(park=poison_events == "park")


async def state(sql: Connection) -> tuple[str, str]:
    row = await sql.fetchrow("SELECT status, error FROM checkpoint WHERE projection = 'ranking'")
    assert row is not None
    return row["status"], row["error"]


async def shown(sql: Connection) -> tuple[int, int]:
    return (
        await sql.fetchval("SELECT count(*) FROM read_post"),
        await sql.fetchval("SELECT count(*) FROM read_post_rank"),
    )


async def test_where_events_are_not_parked_the_projection_is_paused_and_says_what_to_do(
    blog: Blog, posts: list[WrittenPost], open_runner: OpenRunner
) -> None:
    runner = open_runner(park=False)
    for _ in range(poison.PATIENCE):
        await blog.sql.execute("UPDATE checkpoint SET retry_at = NULL")
        await runner.catch_up()
        assert (await state(blog.sql))[0] == "failing"
    await blog.sql.execute("UPDATE checkpoint SET retry_at = NULL")
    await runner.catch_up()
    said = "RaiseError: no room for it. When that is mended: inkfold projections resume ranking"
    assert await state(blog.sql) == ("paused", said)
    assert await parked(blog.sql) == []
    await blog.like(posts[0], await blog.user())
    await runner.catch_up()
    assert await shown(blog.sql) == (5, 0)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", posts[0].id) == 1
    assert await state(blog.sql) == ("paused", said)


async def test_where_nothing_is_parked_other_errors_do_not_pause(blog: Blog, open_runner: OpenRunner) -> None:
    post = await blog.post(await blog.user())
    async with obstacle(blog.sql, sqlstate="55P03") as ranks:
        await ranks.refuse(post.id)
        runner = open_runner(park=False)
        await fold_for_good(blog.sql, runner.catch_up)
        await fold_for_good(blog.sql, runner.catch_up)
        assert await state(blog.sql) == ("failing", "LockNotAvailableError: no room for it")


@pytest.mark.usefixtures("posts")
async def test_when_too_many_events_are_parked_the_fold_is_to_blame(
    blog: Blog, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison, "MOST_PARKED", 2)
    await fold_for_good(blog.sql, projector.fold)
    status, said = await state(blog.sql)
    assert status == "paused"
    assert said == (
        "TooManyParkedError: 2 events of ranking are parked, so the fold must be what is broken. "
        "Last: no room for it. When that is mended: inkfold projections resume ranking"
    )
    assert await parked(blog.sql) == []
    assert await shown(blog.sql) == (5, 0)


async def test_as_many_as_may_be_parked_are(
    blog: Blog, posts: list[WrittenPost], projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison, "MOST_PARKED", 3)
    await fold_for_good(blog.sql, projector.fold)
    assert await parked(blog.sql) == [("PostPublished", post.id) for post in posts[1:4]]
    assert (await state(blog.sql))[0] == "running"


@pytest.mark.parametrize("poison_events", ["park", "pause"])
async def test_when_it_is_mended_and_resumed_everything_is_folded(
    blog: Blog, posts: list[WrittenPost], ranks: Obstacle, gives_up: Runner, read_side: ReadSide
) -> None:
    await fold_for_good(blog.sql, gives_up.catch_up)
    assert (await state(blog.sql))[0] == "paused"
    await ranks.relent(*(post.id for post in posts))
    await blog.like(posts[2], await blog.user())
    await resume(blog.sql, "ranking")
    await read_side.projector.fold()
    assert await shown(blog.sql) == (5, 5)
    assert await parked(blog.sql) == []
    await read_side.folds_nothing_again()
    await read_side.is_exact()
