"""What a worker does while Redis is away: it folds and announces by looking, and waits where PostgreSQL is away, too.

projections.worker calls it before each time that it works with Redis.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from app.connection_loss import CONNECTION_LOST
from app.errors import Unavailable
from app.settings import Settings
from projections.projector import Projector

_POLL_SECONDS: Final = 0.01
#: How often a server that is gone is looked for.
_PING_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 1.0
_NOT_NOW: Final[tuple[type[Exception], ...]] = (asyncpg.InsufficientResourcesError, Unavailable, *CONNECTION_LOST)

log = logging.getLogger(__name__)


async def work_without_redis(config: Settings) -> bool:
    """Fold and announce until Redis answers; return whether a signal ended it before. At once if Redis is there."""
    stopped = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stopped.set)
    projector = await _open(config, stopped)
    if projector is None:
        return True
    building = asyncio.create_task(projector.building())
    try:
        while not stopped.is_set() and not await projector.redis_answers():
            await _work(projector, stopped)
    finally:
        await end({building})
        with contextlib.suppress(TimeoutError):  # what does not let go must not keep anyone waiting for the next step
            async with asyncio.timeout(_CLOSE_SECONDS):
                await projector.close()
    return stopped.is_set()


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


async def _open(config: Settings, stopped: asyncio.Event) -> Projector | None:
    while not stopped.is_set():
        try:
            return await Projector.open(config)
        except CONNECTION_LOST as error:
            await _rest(stopped, error)
    return None


async def _work(projector: Projector, stopped: asyncio.Event) -> None:
    """Do what there is to do, again and again, until Redis is to be looked for."""
    until = time.monotonic() + _PING_SECONDS
    while not stopped.is_set() and time.monotonic() < until:
        try:
            await projector.work_alone()
        except _NOT_NOW as error:
            await _rest(stopped, error)
        await asyncio.sleep(_POLL_SECONDS)


async def _rest(stopped: asyncio.Event, error: Exception) -> None:
    log.warning("PostgreSQL is away, or has no room (%s); trying again.", error)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PING_SECONDS):
            await stopped.wait()
