"""The doorbell: a ring wakes an idle worker, one that nobody heard costs a moment, and many become one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import pytest
from arq.typing import WorkerSettingsType
from arq.worker import create_worker
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from app.doorbell import BELL, FOLD, QUEUE, deserialize, enqueue, generation_key, serialize
from app.settings import Settings
from projections.bell_worker import BellWorker
from projections.projector import Projector
from projections.worker import worker_settings
from tests.conftest import Servers
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.running_worker import running_worker
from tests.support.waiting import until
from tests.support.worker_process import worker_process

#: Longer than any test waits: what a worker does that is so patient, it does because it was woken.
_FOREVER = 3600.0


@dataclass(frozen=True)
class Liked:
    """A post that one person likes and takes the like back from."""

    blog: Blog
    person: RegisteredUser
    post: WrittenPost

    async def like(self) -> None:
        await self.blog.like(self.post, self.person)

    async def like_silently(self) -> None:
        """Like without a bell."""
        await self.blog.like_at(self.post.created_at, self.post, self.person)

    async def unlike(self) -> None:
        await self.blog.unlike(self.post, self.person)

    async def shows_none(self) -> bool:
        return await self._likes() == 0

    async def shows_one(self) -> bool:
        return await self._likes() == 1

    async def _likes(self) -> int:
        likes: int = await self.blog.sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", self.post.id)
        return likes


@pytest.fixture
async def unswept(config: Settings, blog: Blog) -> AsyncIterator[BellWorker]:  # noqa: ARG001 - emptied first
    """A worker that hears the bell, looks at its queue for no other reason, and sweeps no more."""
    async with running_worker(config, patience_seconds=_FOREVER) as worker:
        await asleep(worker)
        yield worker


async def asleep(worker: BellWorker) -> None:
    """Wait until the worker hears the bell and has nothing to do, and let it sweep no more."""

    async def idle() -> bool:
        worker.cron_jobs.clear()
        worker.wake()
        queued = await worker.pool.zcard(QUEUE)
        return worker.hears and not queued and not worker.tasks

    await until(idle)


@pytest.fixture
async def liked(blog: Blog, projector: Projector, redis: Redis) -> Liked:
    """A post that is in the read tables, and for which no bell rings any more."""
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await until(lambda: redis.zcard(QUEUE))
    await projector.fold()
    await projector.announce()
    await redis.delete(QUEUE)
    return Liked(blog, ada, post)


async def test_a_ring_wakes_an_idle_worker(liked: Liked, unswept: BellWorker) -> None:
    await asleep(unswept)
    await liked.like()
    await until(liked.shows_one)
    await liked.unlike()
    await until(liked.shows_none)


async def test_a_ring_that_nobody_heard_is_found_by_looking(config: Settings, liked: Liked) -> None:
    async with running_worker(config) as worker:
        await asleep(worker)
        await liked.like_silently()
        assert await worker.pool.enqueue_job(FOLD, _queue_name=QUEUE)
        await until(liked.shows_one)


async def test_a_worker_hears_again_after_its_connection_was_cut(
    liked: Liked, unswept: BellWorker, redis: Redis
) -> None:
    async def deaf() -> bool:
        return not unswept.hears

    await redis.client_kill_filter(_type="pubsub")
    await until(deaf)
    await liked.like_silently()
    await enqueue(redis, FOLD)  # heard by nobody, and found at once by one that knows that it is deaf
    await until(liked.shows_one)
    await asleep(unswept)
    await liked.unlike()
    await until(liked.shows_none)


async def test_a_worker_hears_again_after_redis_was_restarted(
    servers: Servers, redis: Redis, read_side: ReadSide, blog: Blog
) -> None:
    async def listeners() -> int:
        with suppress(RedisError):  # this connection has to be made anew, too
            return int((await redis.pubsub_numsub(BELL))[0][1])
        return 0

    async def folded() -> bool:
        return bool(await blog.sql.fetchval("SELECT total FROM read_post_total"))

    with worker_process():
        await until(listeners)
        servers.redis.stop()
        servers.redis.start()
        await until(listeners)
        await blog.post(await blog.user())
        await until(folded)
    await read_side.is_exact()


async def test_rings_during_a_fold_become_one_more_fold(liked: Liked, unswept: BellWorker, redis: Redis) -> None:
    await asleep(unswept)
    before = int(await redis.get(generation_key(FOLD)) or 0)
    async with cast("Projector", unswept.ctx["projector"]).folding:
        await liked.like()
        await until(lambda: redis.exists(f"arq:in-progress:{FOLD}:{before}"))
        for _ in range(20):
            await enqueue(redis, FOLD)
        await liked.unlike()
        for _ in range(20):
            await enqueue(redis, FOLD)
        assert await redis.zrange(QUEUE, 0, -1) == [f"{FOLD}:{before}".encode(), f"{FOLD}:{before + 1}".encode()]
    await asleep(unswept)
    assert await liked.shows_none()
    assert int(await redis.get(generation_key(FOLD))) == before + 2


async def test_a_storm_of_rings_is_one_job_and_one_message(redis: Redis, projector: Projector) -> None:
    await redis.delete(QUEUE)
    async with redis.pubsub() as bell:
        await bell.subscribe(BELL)
        await asyncio.gather(*(enqueue(projector.redis, FOLD) for _ in range(200)))
        await redis.publish(BELL, "the end")
        heard = [message["data"] async for message in until_the_end(bell.listen())]
    assert await redis.zcard(QUEUE) == 1
    assert heard == [1, FOLD.encode()]


async def test_a_plain_arq_worker_takes_what_was_rung_for(config: Settings, liked: Liked, redis: Redis) -> None:
    await liked.like_silently()
    await enqueue(redis, FOLD)
    worker = create_worker(
        cast("WorkerSettingsType", worker_settings(config)), burst=True, handle_signals=False, cron_jobs=[]
    )
    await worker.async_run()
    await worker.close()
    assert await liked.shows_one()


async def until_the_end(messages: AsyncIterator[dict[str, object]]) -> AsyncIterator[dict[str, object]]:
    async for message in messages:
        if message["data"] == b"the end":
            return
        yield message


def test_what_a_job_failed_at_is_kept_in_words() -> None:
    assert deserialize(serialize({"s": False, "r": ValueError("no such job")})) == {
        "s": False,
        "r": "ValueError('no such job')",
    }
