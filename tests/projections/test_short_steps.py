"""The step in four messages: whatever ends it, it has happened or not, and leaves neither lock nor transaction."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.short_step import short_step
from projections.engine.step import step
from projections.engine.step_result import StepFailedError, StepResult
from projections.engine.verify import verify
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.test_account_balance import BALANCES, GIRO, TABLES, book
from tests.support.blog import Blog
from tests.support.foreign_projection import built
from tests.support.projection_spec import ReadSide

_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'not now' USING ERRCODE = TG_ARGV[0]; END $$;
"""
_AT_ONCE = "CREATE TRIGGER refuse BEFORE UPDATE ON checkpoint FOR EACH ROW EXECUTE FUNCTION refuse('40001')"
_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON checkpoint
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('P0001')
"""
_LEFT = """
SELECT a.state, (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory') AS locks
FROM pg_stat_activity a
WHERE a.pid = $1
"""


@pytest.fixture
async def refusing(sql: Connection) -> AsyncIterator[None]:
    await sql.execute(_REFUSE)
    yield
    await sql.execute("DROP FUNCTION refuse CASCADE")


async def left_by(stepping: Connection, sql: Connection) -> tuple[str, int]:
    """Return the session's state, and how many locks it has, once it has done what it was told."""
    await stepping.execute("SELECT 1")
    return tuple(await sql.fetchrow(_LEFT, stepping.get_server_pid()) or ())


@pytest.mark.usefixtures("refusing")
async def test_a_commit_that_fails_moves_nothing_and_leaves_nothing(
    blog: Blog, stepping: Connection, cluster: int
) -> None:
    await blog.sql.execute(_AT_COMMIT)
    await blog.post(await blog.user("ada"))
    with pytest.raises(StepFailedError):
        await step(stepping, PROJECTIONS, system_identifier=cluster, limit=100)
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 0
    assert await left_by(stepping, blog.sql) == ("idle", 0)
    await blog.sql.execute("DROP TRIGGER refuse ON checkpoint")
    await step(stepping, PROJECTIONS, system_identifier=cluster, limit=100)
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 1


@pytest.mark.usefixtures("refusing")
async def test_a_projection_that_another_session_has_moved_is_not_said_to_fail(
    blog: Blog, building: Building, stepping: Connection, cluster: int
) -> None:
    await blog.sql.execute(_AT_ONCE)
    await blog.post(await blog.user("ada"))
    with pytest.raises(asyncpg.SerializationError):
        await step(stepping, PROJECTIONS, system_identifier=cluster, limit=100)
    assert await left_by(stepping, blog.sql) == ("idle", 0)
    with pytest.raises(UnverifiableError, match="was changed by another session"):
        await verify(building, [RANKING])


async def test_a_step_cancelled_at_any_moment_leaves_neither_lock_nor_transaction(
    blog: Blog, read_side: ReadSide, stepping: Connection, cluster: int
) -> None:
    post = await blog.post(await blog.user("ada"))
    for turns in range(40):
        await blog.edit(post, title=f"Title {turns}")
        stepped = asyncio.create_task(step(stepping, PROJECTIONS, system_identifier=cluster, limit=100))
        for _ in range(turns):
            await asyncio.sleep(0)
        stepped.cancel()
        await asyncio.gather(stepped, return_exceptions=True)
        assert await left_by(stepping, blog.sql) == ("idle", 0)
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.parametrize("name", ["null", "it's", 'a{b},"c\\d'])
async def test_a_projection_may_have_any_name(
    sql: Connection, building: Building, stepping: Connection, cluster: int, name: str
) -> None:
    result = StepResult()
    async with built(sql, building, replace(BALANCES, name=name), TABLES) as balances:
        await book(sql, GIRO, 5)
        assert await short_step(stepping, {name: balances}, system_identifier=cluster, limit=9, result=result)
        assert await sql.fetchval("SELECT balance FROM read_balance") == 5
    assert result.events == {"EntryBooked": 1}
