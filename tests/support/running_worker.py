"""A real arq worker inside the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from arq.typing import WorkerSettingsType
from arq.worker import create_worker

from app.doorbell import QUEUE
from app.settings import Settings
from projections.worker import worker_settings


@asynccontextmanager
async def running_worker(config: Settings) -> AsyncIterator[None]:
    """Run a worker until the block ends."""
    worker = create_worker(cast("WorkerSettingsType", worker_settings(config)), handle_signals=False)
    running = asyncio.create_task(worker.async_run())
    while "projector" not in worker.ctx:
        if running.done():
            await running
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        # Ends as a burst worker does, in the middle of nothing: what is queued is forgotten, what runs is finished.
        worker.cron_jobs.clear()
        worker.burst = True
        await worker.pool.delete(QUEUE)
        await running
        await worker.close()
