"""Steps that come too late, are cancelled or killed in the middle: each event still counts once."""

import asyncio

import asyncpg
import pytest

from projections.engine.checkpoint import Connection, read_checkpoints
from projections.engine.locks import lock_waiting, unlock
from projections.engine.projection import Projection
from projections.engine.step import Step
from projections.engine.step_result import StepFailedError
from projections.posts import POSTS
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect, OpenRunner, waiting_backend
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide

NAMES = [projection.name for projection in PROJECTIONS]


async def fold_too_late(stepping: Connection, projection: Projection, projector: Projector, *, cluster: int) -> None:
    """Fold as a worker that is stopped after its snapshot, while another takes over, and then goes on."""
    late = Step(stepping, {projection.name: projection}, system_identifier=cluster)
    async with stepping.transaction(isolation="repeatable_read"):
        standing = await read_checkpoints(stepping, [projection.name], limit=1_000)
        await projector.fold()
        await late.fold_pending(standing)


async def test_a_step_that_was_overtaken_commits_no_rows(
    blog: Blog, read_side: ReadSide, projector: Projector, stepping: Connection, cluster: int
) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await projector.fold()
    await blog.like(post, ada)
    with pytest.raises(StepFailedError) as refused:
        await fold_too_late(stepping, POSTS, projector, cluster=cluster)
    assert isinstance(refused.value.__cause__, asyncpg.SerializationError)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_step_that_was_overtaken_moves_no_checkpoint(
    blog: Blog, read_side: ReadSide, projector: Projector, stepping: Connection, cluster: int
) -> None:
    post = await blog.post(await blog.user("ada"))
    await projector.fold()
    await blog.edit(post, title="Of no interest to the ranking")
    with pytest.raises(asyncpg.SerializationError):
        await fold_too_late(stepping, RANKING, projector, cluster=cluster)
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_runner_that_is_overtaken_leaves_the_work_to_the_other(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    await blog.post(await blog.user("ada"))
    await blog.sql.execute("""
        CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'overtaken' USING ERRCODE = 'serialization_failure'; END $$;
        CREATE TRIGGER overtake BEFORE UPDATE ON checkpoint FOR EACH ROW EXECUTE FUNCTION overtake();
    """)
    try:
        assert await projector.fold() == 0
    finally:
        await blog.sql.execute("DROP FUNCTION overtake CASCADE")
    await read_side.folds(2)
    await read_side.is_exact()


async def test_a_worker_killed_between_its_folds_and_the_commit_counts_nothing_twice(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect
) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    blocking = await connect()
    obstacle = blocking.transaction()
    await obstacle.start()
    await blocking.execute("LOCK TABLE read_likes_quarter_hourly IN SHARE MODE")
    folding = asyncio.create_task(projector.runner.catch_up())
    await blog.sql.execute("SELECT pg_terminate_backend($1)", await waiting_backend(blog.sql, "inkfold-folding"))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await folding
    await obstacle.rollback()
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 0
    await read_side.folds(3)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    await read_side.is_exact()


async def test_a_worker_whose_connection_was_cut_goes_on_over_a_new_one(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    await projector.fold()
    ada = await blog.user("ada")
    await blog.like(await blog.post(ada), ada)
    await blog.sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inkfold-folding'"
    )
    assert await projector.fold() == 3
    await read_side.is_exact()


async def test_a_worker_that_dies_after_the_commit_has_folded(
    blog: Blog, read_side: ReadSide, open_runner: OpenRunner
) -> None:
    async def die(*_: object) -> None:
        raise EOFError

    ada = await blog.user("ada")
    await blog.like(await blog.post(ada), ada)
    with pytest.raises(EOFError):
        await open_runner(on_step=die).catch_up()
    await read_side.folds_nothing_again()
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    await read_side.is_exact()


async def test_a_worker_cancelled_at_any_moment_leaves_no_lock_behind(
    blog: Blog, read_side: ReadSide, open_runner: OpenRunner, connect: Connect
) -> None:
    runner, other = open_runner(), await connect()
    await other.execute("SET lock_timeout = '5s'")
    post = await blog.post(await blog.user("ada"))
    for turns in range(30):
        await runner.catch_up()  # connected, so that the cancellation falls into the step
        await blog.edit(post, title=f"Title {turns}")
        folding = asyncio.create_task(runner.catch_up())
        for _ in range(turns):
            await asyncio.sleep(0)
        folding.cancel()
        await asyncio.gather(folding, return_exceptions=True)
        await lock_waiting(other, NAMES)
        await unlock(other, NAMES)
    await read_side.projector.fold()
    await read_side.is_exact()
