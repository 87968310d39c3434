"""Workers that fold at once, come too late, or die in the middle: each event still counts once."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.commands.likes import LikePost, like_post
from app.settings import Settings
from projections.engine.checkpoint import Connection, lock, lock_waiting, read_checkpoints, unlock
from projections.engine.step import StepFailedError, fold_pending, step
from projections.posts import POSTS
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect, OpenRunner
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide

NAMES = [projection.name for projection in PROJECTIONS]


@pytest.fixture
async def second(projector: Projector, config: Settings) -> AsyncIterator[Projector]:
    projector = await Projector.open(config)
    yield projector
    await projector.close()


async def waiting_backend(sql: Connection, application: str) -> int:
    """Wait until a backend of that name waits for a lock; return its process id."""
    while True:
        pid: int | None = await sql.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
            application,
        )
        if pid is not None:
            return pid


async def test_two_workers_at_once_have_one_effect(
    blog: Blog, read_side: ReadSide, projector: Projector, second: Projector
) -> None:
    fans = await blog.users(6)
    posts = [await blog.post(fan) for fan in fans[:2]]
    for fan in fans:
        likes = [like_post(blog.store, LikePost(post_id=post.id, user_id=fan.id)) for post in posts]
        await asyncio.gather(*likes, projector.fold(), second.fold())
    await asyncio.gather(projector.fold(), second.fold())
    assert await blog.sql.fetchval("SELECT array_agg(like_count) FROM read_post") == [6, 6]
    await read_side.folds_nothing_again()
    assert await second.fold() == 0
    await read_side.is_exact()


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


@pytest.mark.parametrize("late", [POSTS, RANKING], ids=["with rows to change", "with a checkpoint to move"])
async def test_a_step_that_was_overtaken_commits_nothing(
    blog: Blog, read_side: ReadSide, projector: Projector, stepping: Connection, late: object
) -> None:
    """As when a worker is stopped after its snapshot, another takes over, and the first goes on."""
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await projector.fold()
    await blog.edit(post, title="Another title")
    if late is POSTS:
        await blog.like(post, ada)
    projections = [projection for projection in PROJECTIONS if projection is late]
    names = {projection.name: projection for projection in projections}
    with pytest.raises((asyncpg.SerializationError, StepFailedError)) as refused:
        async with stepping.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(stepping, names, limit=1_000)
            await projector.fold()
            await fold_pending(stepping, names, standing)
    assert isinstance(refused.value, asyncpg.SerializationError) or isinstance(
        refused.value.__cause__, asyncpg.SerializationError
    )
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
    folding = asyncio.create_task(projector.fold())
    await blog.sql.execute("SELECT pg_terminate_backend($1)", await waiting_backend(blog.sql, "inkfold-folding"))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await folding
    await obstacle.rollback()
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post") == 0
    await read_side.folds(3)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
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
    ada = await blog.user("ada")
    post = await blog.post(ada)
    for turns in range(40):
        await blog.edit(post, title=f"Title {turns}")
        folding = asyncio.create_task(runner.catch_up())
        for _ in range(turns):
            await asyncio.sleep(0)
        folding.cancel()
        await asyncio.gather(folding, return_exceptions=True)
        assert sorted(await lock(other, NAMES)) == sorted(NAMES)
        await unlock(other, NAMES)
    await read_side.projector.fold()
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
