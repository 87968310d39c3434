"""Retention: events are dropped when every projection has passed them and they are old enough, and no others."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from projections.engine.checkpoint import Connect, Connection, resume
from projections.engine.rebuild import rebuild
from projections.engine.retention import prune
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from projections.subscriptions import SUBSCRIPTIONS
from tests.projections.conftest import Connect as Further
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide
from tests.support.rebuilding import begun, held_up, until_filled, until_filling_waits, until_true

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AT_ONCE = timedelta(0)

#: An event that no fold knows.
TEA = "INSERT INTO event (type, subject_id, actor_id) SELECT 'TeaServed', id, id FROM users LIMIT 1"


async def left(sql: Connection) -> list[str]:
    return [row["type"] for row in await sql.fetch("SELECT type FROM event ORDER BY tx, position")]


async def test_what_every_projection_has_passed_is_dropped(
    blog: Blog, projector: Projector, read_side: ReadSide
) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await projector.fold()
    await blog.like(post, ada)
    assert await prune(blog.sql, older_than=AT_ONCE) == 2
    assert await left(blog.sql) == ["PostLiked"]
    await projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 1
    assert await prune(blog.sql, older_than=AT_ONCE) == 0
    await read_side.is_exact()


async def test_young_events_are_kept(blog: Blog, projector: Projector) -> None:
    ada = await blog.user("ada")
    await blog.post(ada)
    await projector.fold()
    assert await prune(blog.sql, older_than=timedelta(hours=1)) == 0
    await blog.sql.execute("UPDATE event SET at = at - interval '2 hours' WHERE type = 'UserRegistered'")
    assert await prune(blog.sql, older_than=timedelta(hours=3)) == 0
    assert await prune(blog.sql, older_than=timedelta(hours=1)) == 1
    assert await left(blog.sql) == ["PostPublished"]


@pytest.mark.parametrize("status", ["paused", "failing"])
async def test_what_a_projection_that_stands_still_has_before_it_is_kept(
    blog: Blog, projector: Projector, read_side: ReadSide, status: str
) -> None:
    ada = await blog.user("ada")
    await projector.fold()
    await blog.sql.execute(
        "UPDATE checkpoint SET status = $1, retry_at = 'infinity' WHERE projection = 'ranking'", status
    )
    await blog.like(await blog.post(ada), ada)
    await projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 1
    assert await left(blog.sql) == ["PostPublished", "PostLiked"]
    await resume(blog.sql, "ranking")
    await projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 2
    await read_side.is_exact()


async def test_a_transaction_that_is_still_open_is_not_lost(
    blog: Blog, projector: Projector, connect: Further, read_side: ReadSide
) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    held = await connect()
    transaction = held.transaction()
    await transaction.start()
    await like_at(held, NOON, post=post, user=bob)
    await blog.like(post, ada)
    await projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 3
    await transaction.commit()
    assert await left(blog.sql) == ["PostLiked", "PostLiked"]
    await read_side.folds(1)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 2
    await read_side.is_exact()
    await projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 2


async def test_a_transaction_that_has_no_event_yet_is_not_lost(
    blog: Blog, projector: Projector, connect: Further, read_side: ReadSide
) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    held = await connect()
    transaction = held.transaction()
    await transaction.start()
    await held.execute("SELECT pg_current_xact_id()")
    await projector.fold()
    await prune(blog.sql, older_than=AT_ONCE)
    await like_at(held, NOON, post=post, user=ada)
    await transaction.commit()
    assert await left(blog.sql) == ["PostLiked"]
    await read_side.folds(1)
    await read_side.is_exact()


async def test_nothing_is_dropped_while_a_rebuild_fills(
    blog: Blog, building: Connect, read_side: ReadSide, connect: Further
) -> None:
    await blog.user("ada")
    await read_side.projector.fold()
    async with held_up(await connect()) as obstacle, begun(building, RANKING) as running:
        await until_filling_waits(blog.sql, running=running)
        await blog.sql.execute(TEA)
        await read_side.projector.fold()
        assert await prune(blog.sql, older_than=AT_ONCE) == 0
        assert await left(blog.sql) == ["UserRegistered", "TeaServed"]
        await obstacle.release()
        await running
    await blog.sql.execute(TEA)
    await read_side.projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 3
    await read_side.is_exact()


async def test_what_an_interrupted_rebuild_has_before_it_is_kept(
    blog: Blog, building: Connect, read_side: ReadSide, connect: Further
) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await read_side.projector.fold()
    async with held_up(await connect(), table="subscriptions"), begun(building, RANKING, SUBSCRIPTIONS):
        await until_filled(blog.sql, [RANKING])
    await blog.like(post, ada)
    await read_side.projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 2
    assert await left(blog.sql) == ["PostLiked"]
    await rebuild(building, [RANKING, SUBSCRIPTIONS])
    assert await blog.sql.fetchval("SELECT like_count FROM read_post_rank") == 1
    await read_side.is_exact()
    assert await prune(blog.sql, older_than=AT_ONCE) == 1


async def test_a_rebuild_needs_none_of_what_was_dropped(blog: Blog, building: Connect, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    await blog.like(await blog.post(ada), ada)
    await read_side.projector.fold()
    assert await prune(blog.sql, older_than=AT_ONCE) == 3
    await rebuild(building, PROJECTIONS)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    await blog.post(ada)
    await read_side.projector.fold()
    await read_side.is_exact()


async def test_a_prune_that_is_killed_between_chunks_leaves_whole_chunks_and_is_gone_on_with(
    blog: Blog, connect: Further, read_side: ReadSide
) -> None:
    await blog.users(7)
    await read_side.projector.fold()
    holding, pruning = await connect(), await connect()
    fifth = await blog.sql.fetchval("SELECT position FROM event ORDER BY tx OFFSET 4 LIMIT 1")
    await holding.execute(f"BEGIN; SELECT FROM event WHERE position = {fifth} FOR UPDATE")
    running = asyncio.create_task(prune(pruning, older_than=AT_ONCE, chunk=2))
    await until_true(blog.sql, "SELECT count(*) = 3 FROM event")
    await blog.sql.execute("SELECT pg_terminate_backend($1)", pruning.get_server_pid())
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await running
    assert len(await left(blog.sql)) == 3
    await holding.execute("ROLLBACK")
    assert await prune(blog.sql, older_than=AT_ONCE, chunk=2) == 3
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_prunes_at_once_do_no_harm(blog: Blog, connect: Further, read_side: ReadSide) -> None:
    await blog.users(9)
    await read_side.projector.fold()
    connections = [await connect() for _ in range(3)]
    pruned = await asyncio.gather(*(prune(each, older_than=AT_ONCE, chunk=2) for each in connections))
    assert sum(pruned) + len(await left(blog.sql)) == 9
    await prune(blog.sql, older_than=AT_ONCE)
    assert await left(blog.sql) == []
    await read_side.is_exact()
