"""The arq worker: its jobs, its schedule and its settings.

Run as `inkfold worker` or `arq projections.worker.WorkerSettings`. Jobs carry no work: whatever is to be done stands in
PostgreSQL, so any of them may get lost or run twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, cast

import uvloop
from arq import cron
from arq.cron import CronJob
from arq.typing import WorkerCoroutine, WorkerSettingsType
from arq.worker import func, get_kwargs
from redis.exceptions import RedisError

from app.connection_loss import CONNECTION_LOST
from app.doorbell import ANNOUNCE, FOLD, QUEUE, deserialize, serialize
from app.logs import log_to_stderr
from app.redis_client import open_redis
from app.settings import Settings, settings
from projections.bell_worker import BEGUN, BellWorker
from projections.projector import REDIS_SECONDS, Projector
from projections.without_redis import end, work_without_redis

_JOB_SECONDS = 60
_POLL_SECONDS = 0.01
#: Killed workers leave jobs that nobody may begin for a while; these must not be all that is seen of the queue.
_MOST_JOBS_LOOKED_AT = 10_000

#: How it is known that a server is gone.
_GONE: Final[tuple[type[Exception], ...]] = (RedisError, *CONNECTION_LOST)

log = logging.getLogger(__name__)

Context = dict[Any, Any]


async def start(context: Context) -> None:
    """Open what the jobs use."""
    projector = await Projector.open(settings())
    context["projector"], context["beside"] = projector, {asyncio.create_task(projector.building())}


async def stop(context: Context) -> None:
    """Close it."""
    if "projector" in context:
        await end(context["beside"])
        await _projector(context).close()


async def fold_events(context: Context) -> None:
    """Fold everything committed by now; a worker that hears the doorbell has begun already."""
    begun = context.get(BEGUN, {}).get(context["job_id"])
    if begun is None:
        await _projector(context).fold()
    else:
        await begun
        await _projector(context).news.renew_top()


async def announce_posts(context: Context) -> None:
    """Notify the subscribers of new posts."""
    await _projector(context).announce()


async def sweep(context: Context) -> None:
    """Each second: do what no bell was rung for."""
    await _projector(context).sweep()


async def verify_all(context: Context) -> None:
    """Each night: compare the read tables with their definitions."""
    _begin(context, _projector(context).upkeep.verify())


async def prune(context: Context) -> None:
    """Each hour: drop old events that every projection has passed, and what has expired: keys and refresh tokens."""
    _begin(context, _projector(context).upkeep.prune())
    _begin(context, _projector(context).upkeep.forget_keys())
    _begin(context, _projector(context).upkeep.forget_sessions())


def worker_settings(config: Settings) -> type:
    """Return arq's settings class for this configuration."""

    class WorkerSettings:
        functions = (
            func(cast("WorkerCoroutine", fold_events), name=FOLD),
            func(cast("WorkerCoroutine", announce_posts), name=ANNOUNCE),
        )
        cron_jobs = (
            cron(
                cast("WorkerCoroutine", sweep),
                second=set(range(60)),
                run_at_startup=True,
                timeout=_JOB_SECONDS,
                keep_result=0,
            ),
            _cron(verify_all, hour=3, minute=30),
            _cron(prune, minute=45),
        )
        on_startup = start
        on_shutdown = stop
        redis_pool = open_redis(config.redis_url, answer_seconds=REDIS_SECONDS)
        queue_name = QUEUE
        job_serializer = serialize
        job_deserializer = deserialize
        poll_delay = _POLL_SECONDS
        job_timeout = _JOB_SECONDS
        keep_result = 0
        max_jobs = 4
        queue_read_limit = _MOST_JOBS_LOOKED_AT
        log_results = False

    return WorkerSettings


def main() -> None:
    """Work until a signal ends it: as an arq worker while Redis is there, and without it while it is not."""
    log_to_stderr(settings().log_level)
    logging.getLogger("arq.worker").setLevel(logging.WARNING)
    while True:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if runner.run(work_without_redis(settings())):
                return
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            asyncio.set_event_loop(runner.get_loop())  # arq takes it
            worker = bell_worker(settings())
            gone: Exception
            try:
                worker.run()
            except _GONE as error:
                gone = error
            else:
                return
            if worker.ending:
                return
            log.warning("A server is gone (%s); working without Redis until it is back.", gone)


def bell_worker(config: Settings, **options: Any) -> BellWorker:
    """Return the worker that hears the doorbell; `options` beside arq's and its own settings."""
    arguments = cast("dict[str, Any]", get_kwargs(cast("WorkerSettingsType", worker_settings(config))))
    bell = open_redis(config.redis_url)
    return BellWorker(bell=bell, fold=lambda context: _projector(context).fold_rung(), **(arguments | options))


def _cron(job: Callable[[Context], Awaitable[None]], **when: int) -> CronJob:
    return cron(cast("WorkerCoroutine", job), **when, second=0, timeout=_JOB_SECONDS, keep_result=0)  # type: ignore[arg-type]


def _begin(context: Context, work: Coroutine[Any, Any, object]) -> None:
    """Have work done beside the jobs: arq hides the jobs of a killed worker for as long as the longest job may last."""
    task = asyncio.create_task(work)
    context["beside"].add(task)
    task.add_done_callback(partial(_ended, context))


def _ended(context: Context, task: "asyncio.Task[object]") -> None:
    context["beside"].discard(task)
    if not task.cancelled() and task.exception():
        log.error("Work beside the jobs failed: %s", task.exception())


def _projector(context: Context) -> Projector:
    return cast("Projector", context["projector"])


def __getattr__(name: str) -> type:
    if name == "WorkerSettings":  # read by the arq command line; the environment is not read on import
        return worker_settings(settings())
    raise AttributeError(name)
