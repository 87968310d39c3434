"""Plans of a step: what was planned for tables of which nothing is known does not stay when it takes long."""

import pytest

from projections.engine.checkpoint import Connection, read_checkpoints
from projections.engine.plans import renew_plans
from projections.engine.step import Step
from projections.like_statistics import LIKE_STATISTICS
from projections.projector import Projector
from tests.projections.conftest import Connect
from tests.support.blog import Blog

NEW = 4
BY_NAME = {LIKE_STATISTICS.name: LIKE_STATISTICS}

#: Others' rows of this month, as many as come in less time than autovacuum takes to analyze the table.
_ROWS = """
INSERT INTO read_likes_by_span (post_id, months, first_day, author_id, likes, at_least)
SELECT gen_random_uuid(), 1, date_trunc('month', now() AT TIME ZONE 'UTC'), gen_random_uuid(), 1, two_digits(1)
FROM generate_series(1, 20000)
"""
# What PostgreSQL knows of a table outlives its rows.
_FORGET = """
SELECT pg_clear_attribute_stats('public', 'read_likes_by_span', attname, false)
FROM pg_stats
WHERE schemaname = 'public' AND tablename = 'read_likes_by_span'
"""
_ANALYZED = "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'read_likes_by_span'"
_FETCHED = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'read_likes_by_span'"


@pytest.fixture
async def liked(blog: Blog, projector: Projector) -> None:
    """A table that was empty has many rows; some likes are not folded yet."""
    fans = await blog.users(NEW)
    post = await blog.post(fans[0])
    await projector.fold()
    await blog.sql.execute(_ROWS)
    await blog.sql.execute(_FORGET)
    for fan in fans:
        await blog.like(post, fan)


@pytest.mark.usefixtures("liked")
async def test_a_step_that_took_long_has_its_tables_analyzed_if_they_never_were(stepping: Connection) -> None:
    await renew_plans(stepping, [LIKE_STATISTICS], events=1, seconds=0.001)
    assert not await stepping.fetchval(_ANALYZED)
    await renew_plans(stepping, [LIKE_STATISTICS], events=1, seconds=10)
    assert await stepping.fetchval(_ANALYZED)


@pytest.mark.usefixtures("liked")
async def test_the_step_after_it_looks_rows_up_by_their_key(stepping: Connection, cluster: int) -> None:
    await renew_plans(stepping, [LIKE_STATISTICS], events=1, seconds=10)
    async with stepping.transaction(isolation="repeatable_read"):
        standing = await read_checkpoints(stepping, BY_NAME, limit=1_000)
        before = await stepping.fetchval(_FETCHED)
        await Step(stepping, BY_NAME, system_identifier=cluster).fold_pending(standing)
        assert await stepping.fetchval(_FETCHED) - before <= NEW


@pytest.mark.usefixtures("liked")
async def test_a_step_has_been_taken_although_its_tables_cannot_be_analyzed(
    stepping: Connection, connect: Connect
) -> None:
    other = await connect()
    await stepping.execute("SET lock_timeout = '20ms'")
    async with other.transaction():
        await other.execute("LOCK TABLE read_likes_by_span IN ACCESS EXCLUSIVE MODE")
        await renew_plans(stepping, [LIKE_STATISTICS], events=1, seconds=10)
    assert not await stepping.fetchval(_ANALYZED)
    await renew_plans(stepping, [LIKE_STATISTICS], events=1, seconds=10)
    assert await stepping.fetchval(_ANALYZED)
