"""Workers that are killed, or told to end, in the middle of their work: each event still counts once."""

import asyncio

import orjson

from app.commands.posts import WrittenPost
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.conftest import Servers
from tests.faults.conftest import HoldUp
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until
from tests.support.worker_process import worker_process


async def likes_shown(sql: Connection) -> int:
    count: int = await sql.fetchval("SELECT like_count FROM read_post")
    return count


async def liked_post(blog: Blog) -> WrittenPost:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like(post, bob)
    return post


async def top_in_redis(projector: Projector) -> list[int]:
    top = await projector.cache.read_top()
    return [item["like_count"] for item in orjson.loads(top.body)["items"]] if top else []


async def test_fault_05_a_worker_killed_with_its_session_before_the_commit_has_done_nothing(
    blog: Blog, read_side: ReadSide, hold_up: HoldUp
) -> None:
    await liked_post(blog)
    async with hold_up() as held:
        with worker_process() as worker:
            session = await held.reached()
            worker.kill()
        await blog.sql.execute("SELECT pg_terminate_backend($1)", session)
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 0
    await read_side.folds(4)
    assert await likes_shown(blog.sql) == 1
    await read_side.is_exact()


async def test_fault_05_a_worker_killed_after_it_applied_and_before_it_committed_counts_nothing_twice(
    blog: Blog, read_side: ReadSide, hold_up: HoldUp
) -> None:
    await liked_post(blog)
    async with hold_up() as held:
        with worker_process() as worker:
            session = await held.reached()
            worker.kill()
        assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 0
    await until(lambda: blog.sql.fetchval("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", session))
    assert await likes_shown(blog.sql) == 1  # by its session, which had all that it needed
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_fault_06_a_worker_killed_after_the_commit_leaves_a_cache_that_heals(
    blog: Blog, read_side: ReadSide, projector: Projector, servers: Servers, hold_up: HoldUp
) -> None:
    post = await liked_post(blog)
    await projector.fold()
    assert await top_in_redis(projector) == [1]
    await blog.like(post, await blog.user("eve"))
    async with hold_up() as held:
        with worker_process() as worker:
            await held.reached()
            servers.redis.stop()
            try:
                await held.lift()
                await until(lambda: blog.sql.fetchval("SELECT like_count = 2 FROM read_post"))
                worker.kill()
                worker.wait()
            finally:
                servers.redis.start()
    assert await top_in_redis(projector) != [2]
    await projector.sweep()
    assert await top_in_redis(projector) == [2]
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_fault_09_a_worker_told_to_end_in_the_middle_of_a_step_ends_and_leaves_it_to_the_next(
    blog: Blog, read_side: ReadSide, hold_up: HoldUp
) -> None:
    await liked_post(blog)
    async with hold_up() as held:
        with worker_process() as worker:
            pid = await held.reached()
            worker.terminate()
            assert await asyncio.to_thread(worker.wait, 30) == 0
        await until(lambda: blog.sql.fetchval("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid))
        assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 0
    await read_side.folds(4)
    assert await likes_shown(blog.sql) == 1
    await read_side.is_exact()
