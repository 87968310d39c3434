"""One rebuild at a time; one that is stopped loses its place, and commits nothing stale when it goes on."""

import asyncio
import signal
from typing import Any

import asyncpg
import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.rebuild import RebuildRunningError, rebuild
from projections.engine.shadow import shadow_schemas
from projections.notifications import NOTIFICATIONS
from projections.registry import PROJECTIONS
from projections.subscriptions import SUBSCRIPTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.rebuild_process import rebuilding_process
from tests.support.rebuilding import begun, held_up, table_ids, until_filled, until_filling_waits


async def rebuild_as_soon_as_possible(building: Building) -> None:
    """Wait for the place of whoever has it."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await rebuild(building, PROJECTIONS)
            except RebuildRunningError:
                await asyncio.sleep(0.01)


async def test_a_second_rebuild_is_refused_and_harms_the_first_in_nothing(
    blog: Blog, building: Building, connect: Connect, read_side: ReadSide
) -> None:
    await blog.post(await blog.user())
    before = await table_ids(blog.sql)
    async with held_up(await connect()) as hold, begun(building) as running:
        await until_filling_waits(blog.sql, running=running)
        with pytest.raises(RebuildRunningError, match=r"Another session \(pid \d+\) is rebuilding"):
            await rebuild(building, [SUBSCRIPTIONS])
        await hold.release()
        await running
    assert set((await table_ids(blog.sql)).values()).isdisjoint(before.values())
    await read_side.is_exact()


async def test_a_rebuild_that_is_stopped_loses_its_place_and_commits_nothing_stale(
    blog: Blog, building: Building, connect: Connect, read_side: ReadSide
) -> None:
    ada, bob = await blog.users(2)
    await blog.like(await blog.post(ada), bob)
    async with rebuilding_process() as process:
        async with held_up(await connect()):
            await until_filled(blog.sql, [SUBSCRIPTIONS, NOTIFICATIONS])
            process.send_signal(signal.SIGSTOP)
        await rebuild_as_soon_as_possible(building)
        ids = await table_ids(blog.sql)
        await blog.like(await blog.post(bob), ada)
        await read_side.folds(2)
        process.send_signal(signal.SIGCONT)
        assert await process.wait() != 0
    assert await table_ids(blog.sql) == ids
    assert await shadow_schemas(blog.sql) == []
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_rebuild_stopped_before_it_swaps_leaves_that_to_another(
    blog: Blog, building: Building, connect: Connect, read_side: ReadSide
) -> None:
    ada = await blog.user()
    reader = await connect()
    async with rebuilding_process() as process:
        async with reader.transaction():
            await reader.fetch("SELECT FROM read_post")
            await until_filled(blog.sql, PROJECTIONS)
            process.send_signal(signal.SIGSTOP)
        await blog.post(ada)
        await rebuild_as_soon_as_possible(building)
        ids = await table_ids(blog.sql)
        process.send_signal(signal.SIGCONT)
        assert await process.wait() != 0
    assert await table_ids(blog.sql) == ids
    await blog.post(ada)
    await read_side.folds(1)
    await read_side.is_exact()


async def test_a_rebuild_stopped_while_nobody_may_step_would_lose_its_locks_as_soon_as_a_worker(
    building: Building,
) -> None:
    """From the first lock of a projection to the swap, silence ends the session after 2 s and not after 10."""
    allowed, told = "", []

    def note(query: Any) -> None:
        nonlocal allowed
        if "idle_session_timeout" in query.query:
            allowed = query.query
        elif "pg_advisory_lock(" in query.query or "DROP TABLE" in query.query:
            told.append("'2s'" in allowed and "'10s'" not in allowed)

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        connection = await building()
        connection.add_query_logger(note)
        return connection

    await rebuild(connect, [SUBSCRIPTIONS])
    assert told[-2:] == [True, True]


async def test_two_rebuilds_of_different_projections_take_turns(
    sql: Connection, building: Building, read_side: ReadSide
) -> None:
    before = await table_ids(sql)
    results = await asyncio.gather(
        rebuild(building, [SUBSCRIPTIONS]), rebuild(building, [NOTIFICATIONS]), return_exceptions=True
    )
    assert sorted(map(type, results), key=str) == [type(None), RebuildRunningError]
    await rebuild_as_soon_as_possible(building)
    assert set((await table_ids(sql)).values()).isdisjoint(before.values())
    await read_side.is_exact()
