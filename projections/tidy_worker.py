"""arq's worker, made to end when it is told to and to tidy up after itself."""

import asyncio
import signal
from typing import Final

from arq.worker import Worker
from redis.exceptions import RedisError

#: How often a worker that has been told to end is told so again.
_INSIST_SECONDS: Final = 0.1


class TidyWorker(Worker):
    """An arq worker that ends when it is told to, and closes what its jobs use even when Redis is gone."""

    #: Whether a signal has asked it to end.
    ending = False

    def handle_sig(self, signum: signal.Signals) -> None:
        """End, whatever becomes of the first try: before Python 3.12, asyncio.wait_for may swallow it."""
        self.ending = True
        self.allow_pick_jobs = False  # or those just cancelled would be begun again
        super().handle_sig(signum)
        self._insist()

    async def close(self) -> None:
        """Close everything; raises redis's error if Redis is gone."""
        for job in self.tasks.values():
            if not job.cancelling():  # it began since the signal came
                job.cancel()
        # Jobs that were cancelled, or that Redis failed, would keep the rest from being closed.
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.tasks.clear()
        try:
            await super().close()
        except (RedisError, OSError):
            if self.on_shutdown:
                await self.on_shutdown(self.ctx)
            raise

    def _insist(self) -> None:
        if self.main_task is not None and not self.main_task.done():
            self.main_task.cancel()
            self.loop.call_later(_INSIST_SECONDS, self._insist)
