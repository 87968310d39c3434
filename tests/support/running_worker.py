"""A real arq worker inside the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.doorbell import QUEUE
from app.settings import Settings
from projections.bell_worker import BellWorker
from projections.worker import bell_worker


@asynccontextmanager
async def running_worker(config: Settings, **options: Any) -> AsyncIterator[BellWorker]:
    """Run a worker until the block ends."""
    worker = bell_worker(config, handle_signals=False, **options)
    running = asyncio.create_task(worker.async_run())
    while "projector" not in worker.ctx:
        if running.done():
            await running
        await asyncio.sleep(0.005)
    try:
        yield worker
    finally:
        # Ends as a burst worker does, in the middle of nothing: what is queued is forgotten, what runs is finished.
        worker.cron_jobs.clear()
        worker.burst = True
        await worker.pool.delete(QUEUE)
        worker.wake()
        await running
        await worker.close()
