"""Workers that fold at once: each event has one effect, and whoever finds the work taken waits or does the rest."""

import asyncio

import asyncpg
import pytest

from projections.engine.checkpoint import Connection
from projections.engine.locks import lock, lock_waiting, unlock
from projections.engine.step import step
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect, OpenRunner, waiting_backend
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide

NAMES = [projection.name for projection in PROJECTIONS]


async def test_two_workers_share_a_backlog_in_small_steps(
    blog: Blog, read_side: ReadSide, open_runner: OpenRunner
) -> None:
    fans = await blog.users(20)
    post = await blog.post(fans[0])
    for fan in fans:
        await blog.like(post, fan)
    await asyncio.gather(*(open_runner(limit=limit).catch_up() for limit in (1, 2, 3)))
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 20
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_who_waits_in_vain_for_one_lock_keeps_none(connect: Connect) -> None:
    holder, waiter, third = await connect(), await connect(), await connect()
    await lock_waiting(holder, ["subscriptions"])
    await waiter.execute("SET lock_timeout = '20ms'")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await lock_waiting(waiter, NAMES)
    assert {*NAMES} - {*await lock(third, NAMES)} == {"subscriptions"}


async def test_a_worker_waits_for_another_that_folds_everything(
    blog: Blog, read_side: ReadSide, connect: Connect, stepping: Connection, cluster: int
) -> None:
    other = await connect()
    await lock_waiting(other, NAMES)
    await blog.user("ada")
    stepped = asyncio.create_task(step(stepping, PROJECTIONS, system_identifier=cluster, limit=100))
    await waiting_backend(blog.sql, "stepping")
    await blog.user("bob")
    await unlock(other, NAMES)
    assert (await stepped).events == {"UserRegistered": 2}
    await read_side.folds_nothing_again()


async def test_a_worker_folds_what_is_free_while_another_holds_the_rest(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect
) -> None:
    other = await connect()
    await lock_waiting(other, ["ranking"])
    post = await blog.post(await blog.user("ada"))
    await projector.fold()
    assert await blog.sql.fetchval("SELECT id FROM read_post") == post.id
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post_rank") == 0
    await unlock(other, ["ranking"])
    await projector.fold()
    await read_side.is_exact()
