"""The sweep does each second what no bell was rung for, or what somebody died of."""

from typing import Any, cast

from arq.typing import WorkerSettingsType
from arq.worker import get_kwargs
from redis.asyncio import Redis

from app.doorbell import ANNOUNCE, enqueue, generation_key
from app.settings import Settings
from projections.projector import Projector
from projections.tidy_worker import TidyWorker
from projections.worker import worker_settings
from tests.support.blog import Blog


async def test_posts_are_announced_though_a_worker_died_with_the_job_in_its_hands(
    blog: Blog, projector: Projector, redis: Redis
) -> None:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    await enqueue(projector.redis, ANNOUNCE)
    generation = int(await redis.get(generation_key(ANNOUNCE)) or 0)
    await redis.set(f"arq:in-progress:{ANNOUNCE}:{generation}", 1)
    await blog.post(ada)
    await projector.sweep()
    assert await blog.waiting() == 0
    assert await blog.sql.fetchval("SELECT count(*) FROM notifications") == 1


async def test_a_bell_rung_after_the_sweep_is_not_taken_for_the_dead_worker_s(
    blog: Blog, projector: Projector, redis: Redis
) -> None:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    await enqueue(projector.redis, ANNOUNCE)
    await blog.post(ada)
    await projector.sweep()
    jobs = await redis.zcard("inkfold:jobs")
    await enqueue(projector.redis, ANNOUNCE)
    assert await redis.zcard("inkfold:jobs") == jobs + 1


async def test_jobs_of_a_killed_worker_are_hidden_for_little_more_than_a_minute(config: Settings) -> None:
    """arq hides them for as long as the longest of all jobs may last; the queue must not fill up with them."""
    arguments = get_kwargs(cast("WorkerSettingsType", worker_settings(config)))
    worker = TidyWorker(**cast("dict[str, Any]", arguments), handle_signals=False)
    assert worker.in_progress_timeout_s <= 75
    assert worker.queue_read_limit > 75 * 60
    await worker.pool.aclose()
