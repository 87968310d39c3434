"""The arq worker: its jobs, its schedule and its settings.

Run as `inkfold worker` or `arq projections.worker.WorkerSettings`. Jobs carry no work: whatever is to be done stands in
PostgreSQL, so any of them may get lost or run twice.
"""

import logging
from typing import Any, cast

from arq import cron
from arq.connections import RedisSettings
from arq.typing import WorkerCoroutine, WorkerSettingsType
from arq.worker import func, run_worker

from app.doorbell import ANNOUNCE, FOLD, QUEUE, deserialize, serialize
from app.settings import Settings, settings
from projections.projector import Projector

_JOB_SECONDS = 60
_POLL_SECONDS = 0.01

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
        redis_settings = RedisSettings.from_dsn(config.redis_url)
        queue_name = QUEUE
        job_serializer = serialize
        job_deserializer = deserialize
        poll_delay = _POLL_SECONDS
        job_timeout = _JOB_SECONDS
        keep_result = 0
        max_jobs = 4
        log_results = False

    return WorkerSettings


def main() -> None:
    """Work until a signal ends it; returns when Redis is gone, for whoever started it to start it again."""
    logging.getLogger("arq.worker").setLevel(logging.WARNING)
    run_worker(cast("WorkerSettingsType", worker_settings(settings())))


def _projector(context: Context) -> Projector:
    return cast("Projector", context["projector"])


def __getattr__(name: str) -> type:
    if name == "WorkerSettings":  # read by the arq command line; the environment is not read on import
        return worker_settings(settings())
    raise AttributeError(name)
