"""The demo and rebuilds exclude one another: tables filled without a run's rows would never get them."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.rebuild import RebuildRunningError, rebuild
from projections.engine.shadow import shadow_schemas
from projections.notifications import NOTIFICATIONS
from projections.registry import PROJECTIONS
from projections.subscriptions import SUBSCRIPTIONS
from tests.demo.conftest import Verify, held_up, is_held_up, run_demo
from tests.support.blog import Blog
from tests.support.rebuilding import Told, begun, until_filled, until_filling_waits, until_nobody_works
from tests.support.rebuilding import held_up as filling_held_up


@pytest.fixture
async def holder(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_a_rebuild_is_refused_during_a_run_and_loses_nothing_after_it(
    database: str, blog: Blog, building: Building, differences: Verify
) -> None:
    await run_demo(database)
    async with held_up(database):
        demo = asyncio.create_task(run_demo(database))
        await is_held_up(blog.sql, ended=demo.done)
        with pytest.raises(RebuildRunningError):
            await rebuild(building, PROJECTIONS)
    await demo
    assert await differences() == []
    await rebuild(building, PROJECTIONS)
    assert await differences() == []


async def test_a_run_waits_for_a_rebuild_and_adds_to_the_new_tables(
    database: str, blog: Blog, holder: Connection, building: Building, differences: Verify
) -> None:
    await run_demo(database)
    async with filling_held_up(holder) as hold, begun(building) as running:
        await until_filling_waits(blog.sql, running=running)
        demo = asyncio.create_task(run_demo(database))
        await is_held_up(blog.sql, ended=demo.done)
        await hold.release()
        await running
    await demo
    assert await differences() == []


async def test_a_run_drops_what_an_interrupted_rebuild_has_left(
    database: str, blog: Blog, holder: Connection, building: Building, differences: Verify
) -> None:
    """What was filled before the run lacks its rows, and no event would bring them."""
    await run_demo(database)
    async with filling_held_up(holder), begun(building) as running:
        await until_filled(blog.sql, [SUBSCRIPTIONS, NOTIFICATIONS])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await until_nobody_works(blog.sql)
    await run_demo(database)
    assert await shadow_schemas(blog.sql) == []
    told = Told()
    await rebuild(building, PROJECTIONS, report=told)
    assert told.notes == []
    assert await differences() == []
