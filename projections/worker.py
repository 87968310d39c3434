"""The arq worker: its jobs, its schedule and its settings.

Run as `inkfold worker` or `arq projections.worker.WorkerSettings`. Jobs carry no work: whatever is to be done stands in
PostgreSQL, so any of them may get lost or run twice.
"""

import asyncio
import logging
import signal
import time
from typing import Any, cast

from arq import cron
from arq.typing import WorkerCoroutine, WorkerSettingsType
from arq.worker import Worker, func, get_kwargs
from redis.exceptions import RedisError

from app.doorbell import ANNOUNCE, FOLD, QUEUE, deserialize, serialize
from app.redis_client import open_redis
from app.settings import Settings, settings
from projections.projector import REDIS_SECONDS, Projector

_JOB_SECONDS = 60
_POLL_SECONDS = 0.01
#: How often a Redis that is gone is looked for.
_PING_SECONDS = 1.0

log = logging.getLogger(__name__)

Context = dict[Any, Any]


async def start(context: Context) -> None:
    """Open what the jobs use."""
    context["projector"] = await Projector.open(settings())


async def stop(context: Context) -> None:
    """Close it."""
    if "projector" in context:
        await _projector(context).close()


async def fold_events(context: Context) -> None:
    """Fold everything committed by now."""
    await _projector(context).fold()


async def announce_posts(context: Context) -> None:
    """Notify the subscribers of new posts."""
    await _projector(context).announce()


async def sweep(context: Context) -> None:
    """Each second: do what no bell was rung for."""
    await _projector(context).sweep()


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
        log_results = False

    return WorkerSettings


class TidyWorker(Worker):
    """An arq worker that closes what its jobs use even when Redis is not there to be told so."""

    async def close(self) -> None:
        """Close everything; raises redis's error if Redis is gone."""
        try:
            await super().close()
        except (RedisError, OSError):
            await stop(self.ctx)
            raise


def main() -> None:
    """Work until a signal ends it: as an arq worker while Redis is there, and without it while it is not."""
    logging.getLogger("arq.worker").setLevel(logging.WARNING)
    while not asyncio.run(work_without_redis(settings())):
        try:
            arguments = get_kwargs(cast("WorkerSettingsType", worker_settings(settings())))
            TidyWorker(**cast("dict[str, Any]", arguments)).run()
        except (RedisError, OSError) as error:
            log.warning("Redis is gone (%s); working without it until it is back.", error)
        else:
            return


async def work_without_redis(config: Settings) -> bool:
    """Fold and announce until Redis answers; return whether a signal ended it before. At once if Redis is there."""
    stopped = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stopped.set)
    projector = await Projector.open(config)
    try:
        while not stopped.is_set() and not await projector.redis_answers():
            until = time.monotonic() + _PING_SECONDS
            while not stopped.is_set() and time.monotonic() < until:
                await projector.work_alone()
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        await projector.close()
    return stopped.is_set()


def _projector(context: Context) -> Projector:
    return cast("Projector", context["projector"])


def __getattr__(name: str) -> type:
    if name == "WorkerSettings":  # read by the arq command line; the environment is not read on import
        return worker_settings(settings())
    raise AttributeError(name)
