"""Events that a fold can't take: exactly these are parked in the end, and everything else is folded, exactly once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from app.commands.posts import WrittenPost
from projections.engine import poison
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.projections.conftest import Connect as Further
from tests.projections.conftest import waiting_backend
from tests.support.blog import Blog, like_at
from tests.support.obstacle import GATE, Obstacle, fold_for_good, obstacle, parked
from tests.support.projection_spec import ReadSide, differences

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
POSTS = 8


@pytest.fixture
async def ranks(sql: Connection) -> AsyncIterator[Obstacle]:
    """A ranking that refuses some posts."""
    async with obstacle(sql) as ranks:
        yield ranks


async def publish(blog: Blog) -> list[WrittenPost]:
    ada = await blog.user()
    return [await blog.post(ada) for _ in range(POSTS)]


async def ranked(sql: Connection) -> dict[object, int]:
    return {row["post_id"]: row["like_count"] for row in await sql.fetch("SELECT * FROM read_post_rank")}


async def state(sql: Connection, projection: str = "ranking") -> tuple[str, int, str | None]:
    row = await sql.fetchrow("SELECT status, failures, error FROM checkpoint WHERE projection = $1", projection)
    assert row is not None
    return row["status"], row["failures"], row["error"]


@pytest.mark.parametrize("chosen", [[0], [7], [3, 4], [0, 2, 7], [1, 2, 3, 4, 5, 6, 7], list(range(8))], ids=str)
async def test_exactly_the_events_that_fail_are_parked_and_the_others_folded_once(
    blog: Blog, projector: Projector, ranks: Obstacle, read_side: ReadSide, chosen: list[int]
) -> None:
    posts = await publish(blog)
    bad, good = [posts[number].id for number in chosen], [post for post in posts if posts.index(post) not in chosen]
    await ranks.refuse(*bad)
    for post in good:
        await blog.like(post, await blog.user())
    await fold_for_good(blog.sql, projector.fold)
    assert await parked(blog.sql) == [("PostPublished", post) for post in bad]
    assert await ranked(blog.sql) == {post.id: 1 for post in good}
    assert await state(blog.sql) == ("running", 0, None)
    await read_side.folds_nothing_again()
    found = await differences(read_side.connect)
    assert {difference.key["post_id"] for difference in found} == {str(post) for post in bad}


async def test_events_of_one_transaction_are_parked_one_by_one(
    blog: Blog, projector: Projector, ranks: Obstacle
) -> None:
    posts, fans = await publish(blog), await blog.users(3)
    await projector.fold()
    await ranks.refuse(posts[1].id, posts[2].id)
    async with blog.sql.transaction():
        for fan in fans:
            for post in posts[:4]:
                await like_at(blog.sql, NOON, post=post, user=fan)
    await fold_for_good(blog.sql, projector.fold)
    assert await parked(blog.sql) == [("PostLiked", posts[1].id), ("PostLiked", posts[2].id)] * 3
    assert [(await ranked(blog.sql))[post.id] for post in posts[:4]] == [3, 0, 0, 3]


async def test_a_parked_event_is_kept_whole_with_its_error(blog: Blog, projector: Projector, ranks: Obstacle) -> None:
    post = (await publish(blog))[0]
    await ranks.refuse(post.id)
    await fold_for_good(blog.sql, projector.fold)
    whole = "tx, position, type, subject_id, actor_id, payload, at"
    event = await blog.sql.fetchrow(f"SELECT {whole} FROM event WHERE subject_id = $1", post.id)
    assert await blog.sql.fetchrow(f"SELECT {whole} FROM parked_event") == event
    (row,) = await blog.sql.fetch("SELECT projection, error, tries FROM parked_event")
    assert tuple(row) == ("ranking", "RaiseError: no room for it", 1)


async def test_nothing_is_parked_before_patience_ends_and_the_others_never_wait(
    blog: Blog, projector: Projector, ranks: Obstacle
) -> None:
    posts = await publish(blog)
    await ranks.refuse(posts[0].id)
    for failures in range(1, poison.PATIENCE + 1):
        await blog.sql.execute("UPDATE checkpoint SET retry_at = NULL")
        await blog.like(posts[1], await blog.user())
        await projector.fold()
        assert await state(blog.sql) == ("failing", failures, "RaiseError: no room for it")
        assert await parked(blog.sql) == []
        assert await blog.sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", posts[1].id) == failures


async def test_a_projection_goes_on_with_its_parked_events_left_behind(
    blog: Blog, projector: Projector, ranks: Obstacle
) -> None:
    posts = await publish(blog)
    await ranks.refuse(posts[0].id)
    await fold_for_good(blog.sql, projector.fold)
    await blog.like(posts[1], await blog.user())
    assert await projector.fold() == 2
    assert (await ranked(blog.sql))[posts[1].id] == 1
    assert await blog.sql.fetchval("SELECT count(DISTINCT snapshot::text) FROM checkpoint") == 1


async def test_each_projection_parks_what_it_can_not_take(
    blog: Blog, projector: Projector, ranks: Obstacle, read_side: ReadSide
) -> None:
    posts = await publish(blog)
    await ranks.refuse(posts[0].id, posts[1].id)
    async with obstacle(blog.sql, "read_post", key="id") as cards:
        await cards.refuse(posts[1].id, posts[2].id)
        await fold_for_good(blog.sql, projector.fold)
    assert await parked(blog.sql) == [("PostPublished", post.id) for post in posts[:2]]
    assert await parked(blog.sql, "posts") == [("PostPublished", post.id) for post in posts[1:3]]
    assert await blog.sql.fetchval("SELECT total FROM read_post_total") == POSTS - 2
    wrong = {(found.table, *found.key.values()) for found in await differences(read_side.connect)}
    assert wrong == {
        ("read_post_rank", str(posts[0].id)),
        ("read_post_rank", str(posts[1].id)),
        ("read_post", str(posts[1].id)),
        ("read_post", str(posts[2].id)),
        ("read_post_total", True),
    }


@pytest.mark.parametrize("sqlstate", ["40P01", "55P03", "53100", "57014", "42P01", "42703", "XX000"])
async def test_what_is_not_an_events_fault_parks_nothing(
    blog: Blog, projector: Projector, read_side: ReadSide, sqlstate: str
) -> None:
    posts = await publish(blog)
    async with obstacle(blog.sql, sqlstate=sqlstate) as ranks:
        await ranks.refuse(posts[3].id)
        await fold_for_good(blog.sql, projector.fold)
        await fold_for_good(blog.sql, projector.fold)
        assert (await state(blog.sql))[:2] == ("failing", 8)
        assert await parked(blog.sql) == []
    await blog.sql.execute("UPDATE checkpoint SET retry_at = NULL")
    await projector.fold()
    await read_side.is_exact()


@pytest.mark.parametrize("kill", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_worker_killed_while_it_searches_loses_nothing(
    blog: Blog, projector: Projector, read_side: ReadSide, connect: Further, kill: str
) -> None:
    gate = await connect()
    posts = await publish(blog)
    # Two tries of the whole step write eight rows each; then it tries halves.
    async with obstacle(blog.sql, held_up_at=2 * POSTS * (poison.PATIENCE + 1) + 5) as ranks:
        await ranks.refuse(posts[-1].id)
        await gate.execute("SELECT pg_advisory_lock($1)", GATE)
        folding = asyncio.create_task(fold_for_good(blog.sql, projector.fold))
        await gate.execute(f"SELECT {kill}($1)", await waiting_backend(gate, "inkfold-folding"))
        await asyncio.gather(folding, return_exceptions=True)
        assert await ranked(blog.sql) == {}
        assert await parked(blog.sql) == []
        await gate.execute("SELECT pg_advisory_unlock($1)", GATE)
        await fold_for_good(blog.sql, projector.fold)
        assert await parked(blog.sql) == [("PostPublished", posts[-1].id)]
        assert await ranked(blog.sql) == {post.id: 0 for post in posts[:-1]}
    await read_side.folds_nothing_again()
