"""Workers side by side, one of which is stopped or falls silent: one effect, and the work goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.commands.likes import LikePost, like_post
from app.db import connect_folding
from app.settings import Settings
from projections.engine.locks import lock_waiting
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.faults.conftest import A_FOLD, EVENTS, HoldUp
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until
from tests.support.worker_process import worker_process

BEHIND = "SELECT bool_or(behind) FROM read_lag"


@pytest.fixture
async def second(projector: Projector, config: Settings) -> AsyncIterator[Projector]:
    projector = await Projector.open(config)
    yield projector
    await projector.close()


async def test_fault_07_two_workers_at_once_have_one_effect(
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


async def folds_in_six_tries(projector: Projector) -> int:
    """Return how many events were folded by then: each try waits for others' locks, for a second at most."""
    return sum([await projector.fold() for _ in range(6)])


async def test_fault_08_what_a_worker_sent_whole_before_it_was_stopped_counts_once(
    blog: Blog, read_side: ReadSide, projector: Projector, hold_up: HoldUp
) -> None:
    ada, bob = await blog.users(2)
    await blog.like(await blog.post(ada), bob)
    async with hold_up() as held:
        with worker_process() as stale:
            await held.reached()
            stale.suspend()
            await held.lift()

            async def committed() -> bool:
                return await likes_shown(blog) == 1

            await until(committed)
            assert await folds_in_six_tries(projector) == 0
            stale.resume()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.parametrize("obstruct", [EVENTS, A_FOLD], ids=["before the events", "before a fold"])
async def test_fault_08_a_worker_stopped_in_a_step_loses_its_work_to_another_and_commits_nothing_when_it_wakes(
    blog: Blog, read_side: ReadSide, projector: Projector, hold_up: HoldUp, obstruct: str
) -> None:
    ada, bob, eve = await blog.users(3)
    post = await blog.post(ada)
    await blog.like(post, bob)
    async with hold_up(obstruct) as held:
        with worker_process() as stale:
            await held.reached()
            stale.suspend()
            await held.lift()
            assert await folds_in_six_tries(projector) == 5
            assert await likes_shown(blog) == 1
            stale.resume()
            await blog.like(post, eve)

            async def awake() -> bool:
                return await likes_shown(blog) != 1 and not await blog.sql.fetchval(BEHIND)

            await until(awake)
    assert await likes_shown(blog) == 2
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_fault_08_a_session_that_falls_silent_between_steps_loses_its_locks(
    blog: Blog, read_side: ReadSide, projector: Projector, config: Settings
) -> None:
    silent = await connect_folding(config)
    try:
        await lock_waiting(silent, [projection.name for projection in PROJECTIONS])
        await blog.user("ada")
        assert await folds_in_six_tries(projector) == 1
    finally:
        silent.terminate()
    await read_side.is_exact()


async def likes_shown(blog: Blog) -> int:
    count: int = await blog.sql.fetchval("SELECT like_count FROM read_post")
    return count
