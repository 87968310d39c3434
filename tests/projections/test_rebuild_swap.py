"""The swap waits for its moment: for those who use an old table, without holding up anybody else."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.db import READER_ROLE
from app.settings import Settings
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.rebuild import rebuild
from projections.profiles import PROFILES
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.rebuilding import Told, begun, table_ids, until, until_true

#: Much to vacuum, very slowly: minutes, if nobody interrupts it.
_SLOW_TO_VACUUM = """
ALTER TABLE read_profile SET (
    autovacuum_vacuum_threshold = 0,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 100,
    autovacuum_vacuum_cost_limit = 1
);
INSERT INTO read_profile
SELECT gen_random_uuid(), 'nobody', 'nobody@example.org', true, now(), 0, 0, 0, 0 FROM generate_series(1, 20000);
DELETE FROM read_profile;
"""
_USUAL = """
ALTER TABLE read_profile RESET (
    autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay, autovacuum_vacuum_cost_limit
);
ALTER TABLE read_profile SET (autovacuum_vacuum_scale_factor = 0.02)
"""


@pytest.fixture
async def reader(sql: Connection, config: Settings) -> AsyncIterator[Connection]:  # noqa: ARG001 - emptied first
    """A client that waits for a second at most for a lock."""
    settings = {"role": READER_ROLE, "lock_timeout": "1s"}
    connection = await asyncpg.connect(config.database_url, server_settings=settings)
    yield connection
    await connection.close()


@pytest.fixture
async def vacuuming(sql: Connection) -> AsyncIterator[None]:
    """Autovacuum is at work on the profiles, and will be for minutes."""
    await sql.execute("ALTER SYSTEM SET autovacuum_naptime = 1")
    await sql.execute("SELECT pg_reload_conf()")
    await sql.execute(_SLOW_TO_VACUUM)
    at_work = "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE relid = 'read_profile'::regclass)"
    await until_true(sql, at_work)
    yield
    await sql.execute("ALTER SYSTEM RESET autovacuum_naptime")
    await sql.execute("SELECT pg_reload_conf()")
    await sql.execute(_USUAL)


async def test_a_swap_waits_for_a_reader_without_holding_up_others(
    blog: Blog, reader: Connection, building: Building, read_side: ReadSide, connect: Connect
) -> None:
    author = await blog.user()
    slow, before = await connect(), await table_ids(blog.sql)
    told = Told()
    async with begun(building, report=told) as running:
        async with slow.transaction():
            await slow.fetch("SELECT * FROM read_post")
            for posts in range(1, 30):
                await blog.post(author)
                while await reader.fetchval("SELECT count(*) FROM read_post") < posts:
                    await read_side.projector.fold()
            await until(lambda: told.notes, running=running)
            assert "has been using read_post" in told.notes[0].replace("public.", "")
            assert await table_ids(blog.sql) == before
            assert await slow.fetchval("SELECT count(*) FROM read_post") == 29
        await running
    assert set((await table_ids(blog.sql)).values()).isdisjoint(before.values())
    assert await reader.fetchval("SELECT count(*) FROM read_post") == 29
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.usefixtures("vacuuming")
async def test_an_autovacuum_at_work_gives_way_to_a_swap(sql: Connection, building: Building) -> None:
    before = await table_ids(sql)
    async with asyncio.timeout(60):
        await rebuild(building, [PROFILES])
    assert (await table_ids(sql))["read_profile"] != before["read_profile"]
