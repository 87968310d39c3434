"""Rebuilds that are interrupted: nothing is harmed, nobody goes on working, and the next one goes on from there."""

import asyncio
from dataclasses import dataclass, field
from itertools import accumulate, repeat

import asyncpg
import pytest

from app.connection_loss import CONNECTION_LOST
from projections.engine.checkpoint import Connect as Building
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild
from projections.engine.shadow import shadow_schemas
from projections.notifications import NOTIFICATIONS
from projections.posts import POSTS
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from projections.subscriptions import SUBSCRIPTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, differences
from tests.support.rebuild_process import rebuilding_process
from tests.support.rebuilding import (
    Told,
    begun,
    filled,
    held_up,
    left_behind,
    table_ids,
    until_filled,
    until_filling_waits,
    until_nobody_works,
)

#: Those that read no likes, and are filled while the others are held up.
FREE = (SUBSCRIPTIONS, NOTIFICATIONS)


@pytest.fixture
async def lively(blog: Blog, read_side: ReadSide) -> Blog:
    """Something in every table."""
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.subscribe(bob, ada)
    for _ in range(3):
        await blog.like(await blog.post(ada), bob)
    while await blog.announce():
        pass
    await read_side.projector.fold()
    return blog


async def write_something(blog: Blog) -> None:
    """Let something happen that concerns every table."""
    eve, kim = await blog.users(2)
    await blog.subscribe(eve, kim)
    await blog.like(await blog.post(kim), eve)
    await blog.announce()


def of(projections: tuple[Projection, ...], ids: dict[str, int]) -> dict[str, int]:
    return {table.name: ids[table.name] for projection in projections for table in projection.tables}


@dataclass
class Interruption:
    """What an interrupted rebuild found and left; `goes_on` holds that the next one makes use of it."""

    blog: Blog
    read_side: ReadSide
    before: dict[str, int]
    left: dict[str, int] = field(default_factory=dict)

    async def has_harmed_nothing(self) -> None:
        sql = self.blog.sql
        await until_nobody_works(sql)
        assert await table_ids(sql) == self.before
        self.left = await table_ids(sql, await left_behind(sql))
        await write_something(self.blog)
        await self.read_side.projector.fold()
        await self.read_side.folds_nothing_again()
        await self.read_side.is_exact()

    async def goes_on(self, *kept: Projection) -> None:
        told = Told()
        await rebuild(self.read_side.connect, PROJECTIONS, report=told)
        names = ", ".join(projection.name for projection in PROJECTIONS if projection in kept)
        assert told.notes == [f"Going on with what an interrupted run has filled: {names}."]
        after = await table_ids(self.blog.sql)
        rest = tuple(projection for projection in PROJECTIONS if projection not in kept)
        assert of(kept, after) == of(kept, self.left)
        assert set(of(rest, after).values()).isdisjoint([*self.before.values(), *self.left.values()])
        assert await shadow_schemas(self.blog.sql) == []
        await self.read_side.folds_nothing_again()
        await self.read_side.is_exact()


@pytest.fixture
async def interruption(lively: Blog, read_side: ReadSide) -> Interruption:
    return Interruption(lively, read_side, await table_ids(lively.sql))


async def test_a_rebuild_cancelled_while_it_fills_goes_on_later(
    interruption: Interruption, building: Building, connect: Connect
) -> None:
    sql = interruption.blog.sql
    async with held_up(await connect()), begun(building) as running:
        await until_filling_waits(sql, running=running)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until_nobody_works(sql)  # though what they waited for is still there
    assert await filled(sql) == {projection.name for projection in FREE}
    await interruption.has_harmed_nothing()
    await interruption.goes_on(*FREE)


async def test_a_rebuild_killed_while_it_fills_goes_on_later(interruption: Interruption, connect: Connect) -> None:
    sql = interruption.blog.sql
    async with held_up(await connect()), rebuilding_process() as process:
        await until_filling_waits(sql)
        process.kill()
        await process.wait()
        await until_nobody_works(sql)
    assert await filled(sql) == {projection.name for projection in FREE}
    await interruption.has_harmed_nothing()
    await interruption.goes_on(*FREE)


async def test_a_rebuild_whose_connections_are_cut_goes_on_later(
    interruption: Interruption, building: Building, connect: Connect
) -> None:
    sql = interruption.blog.sql
    async with held_up(await connect()), begun(building) as running:
        await until_filling_waits(sql, running=running)
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inkfold-building'"
        )
        with pytest.raises(CONNECTION_LOST):
            await running
    await interruption.has_harmed_nothing()
    await interruption.goes_on(*FREE)


async def test_a_rebuild_killed_before_it_swaps_has_only_to_catch_up(
    interruption: Interruption, connect: Connect
) -> None:
    sql, reader = interruption.blog.sql, await connect()
    async with rebuilding_process() as process, reader.transaction():
        await reader.fetch("SELECT FROM read_post")
        await until_filled(sql, PROJECTIONS)
        process.kill()
        await process.wait()
    await interruption.has_harmed_nothing()
    await interruption.goes_on(*PROJECTIONS)


@pytest.fixture
def counting(building: Building) -> "Counting":
    return Counting(building)


@dataclass
class Counting:
    """Opens connections, and cancels a rebuild when so many statements have run over them."""

    connect: Building
    left: int = 0
    running: "asyncio.Task[None] | None" = None

    async def __call__(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await self.connect()
        connection.add_query_logger(self._count)
        return connection

    def _count(self, _: object) -> None:
        self.left -= 1
        if self.left == 0 and self.running is not None:
            self.running.cancel()


async def test_a_rebuild_cancelled_at_any_moment_leaves_old_tables_or_new_ones(
    lively: Blog, counting: Counting, building: Building
) -> None:
    chosen, interrupted = (RANKING, POSTS), 0
    for statements in accumulate(repeat(12)):
        counting.left = statements
        async with begun(counting, *chosen) as counting.running:
            await asyncio.gather(counting.running, return_exceptions=True)
        await until_nobody_works(lively.sql)
        await lively.like(await lively.post(await lively.user()), await lively.user())
        assert await differences(building, chosen) == []
        if not counting.running.cancelled():
            break
        interrupted += 1
    assert interrupted > 3
    assert await shadow_schemas(lively.sql) == []
