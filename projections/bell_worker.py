"""The arq worker that hears the doorbell: it sleeps until a job is enqueued, and takes up what waits in one message.

What it does not hear, it finds by polling. It begins to fold while arq still reads up on the job. To arq's own worker
and tools, its queue and jobs look like any others.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from arq.constants import in_progress_key_prefix
from arq.utils import timestamp_ms
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.doorbell import BELL, FOLD, generation_key
from projections.tidy_worker import TidyWorker

log = logging.getLogger(__name__)

#: How long a worker sleeps at most: so late is a job taken up whose bell nobody heard.
PATIENCE_SECONDS: Final = 0.25
#: The same while it cannot hear.
_DEAF_SECONDS: Final = 0.01
_RECONNECT_SECONDS: Final = 0.5

# What arq does in five messages for each job, for all in one: marks jobs that are due, and nobody's, as this worker's.
# A fold's generation is raised here, since it begins at once; while one runs, the next waits where rings can join it.
_CLAIM: Final = f"""
local claimed = {{}}
local folding = ARGV[5] == '1'
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #due, 2 do
    if #claimed / 2 >= tonumber(ARGV[3]) then
        break
    end
    local folds = string.find(due[i], '{FOLD}:', 1, true) == 1
    local mark = '{in_progress_key_prefix}' .. due[i]
    if not (folds and folding) and redis.call('SET', mark, '1', 'NX', 'PX', ARGV[4]) then
        if folds then
            folding = true
            redis.call('INCR', KEYS[2])
        end
        table.insert(claimed, due[i])
        table.insert(claimed, due[i + 1])
    end
end
return claimed
"""

#: Where the worker's context keeps the folds that have begun, by the ids of their jobs.
BEGUN: Final = "begun"

Fold = Callable[[dict[Any, Any]], Coroutine[Any, Any, object]]


class BellWorker(TidyWorker):
    """A worker that is woken by the doorbell, over the connection of `bell`, which it closes at the end.

    Calls `fold` with its context when a fold is due, having raised the generation. That fold's job awaits it.
    """

    def __init__(self, *, bell: Redis, fold: Fold, patience_seconds: float = PATIENCE_SECONDS, **settings: Any) -> None:
        super().__init__(**settings)
        self.poll_delay_s = 0  # the pause is made here
        #: Whether a ring would be heard now.
        self.hears = False
        self._bell = bell
        self._fold = fold
        self._begun: dict[str, asyncio.Task[object]] = {}
        self.ctx[BEGUN] = self._begun
        self._patience = patience_seconds
        self._awake = asyncio.Event()
        self._claim = self.pool.register_script(_CLAIM)

    def wake(self) -> None:
        """Have it look at the queue now."""
        self._awake.set()

    async def main(self) -> None:
        """Work until told to end, listening meanwhile; raises redis's error when Redis is gone."""
        listening = asyncio.create_task(self._listen())
        try:
            await super().main()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def close(self) -> None:
        """Close everything; raises redis's error if Redis is gone."""
        for begun in self._begun.values():
            begun.cancel()
        await asyncio.gather(*self._begun.values(), return_exceptions=True)
        try:
            await super().close()
        finally:
            await self._bell.aclose()

    async def _poll_iteration(self) -> None:
        if self.allow_pick_jobs and self.job_counter < self.max_jobs:
            await self._begin_jobs()
        for job_id, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[job_id]
                self._begun.pop(job_id, None)
                task.result()  # raises what arq itself failed at
        await self.heart_beat()
        if not self.burst:
            await self._rest()

    async def _begin_jobs(self) -> None:
        room = self.max_jobs - self.job_counter
        folding = any(not begun.done() for begun in self._begun.values())
        limits = [timestamp_ms(), self.queue_read_limit, room, int(self.in_progress_timeout_s * 1000), int(folding)]
        claim = self._claim(keys=[self.queue_name, generation_key(FOLD)], args=limits)
        claimed = cast("list[bytes]", await claim)
        for id_, score in zip(claimed[::2], claimed[1::2], strict=True):
            await self.sem.acquire()  # never waits: there is room
            self.job_counter += 1
            job_id = id_.decode()
            if job_id.startswith(f"{FOLD}:"):
                self._begun[job_id] = begun = self.loop.create_task(self._fold(self.ctx))
                begun.add_done_callback(self._folded)
            self.tasks[job_id] = self.loop.create_task(self.run_job(job_id, int(float(score))))
            self.tasks[job_id].add_done_callback(lambda _: self._release_sem_dec_counter_on_complete())

    def _folded(self, begun: "asyncio.Task[object]") -> None:
        if not begun.cancelled():
            begun.exception()  # its job has it, if it is not lost with Redis
        self.wake()  # the next may wait

    def _release_sem_dec_counter_on_complete(self) -> None:
        if self.job_counter >= self.max_jobs:  # there was no room, so something may wait
            self.wake()
        super()._release_sem_dec_counter_on_complete()

    async def _rest(self) -> None:
        # Not wait_for: before Python 3.12 it may swallow the end of the worker.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience if self.hears else _DEAF_SECONDS):
                await self._awake.wait()
        self._awake.clear()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._bell.pubsub() as channel:
                    await channel.subscribe(BELL)
                    async for _ in channel.listen():  # the first says that the others will be heard
                        self.hears = True
                        self.wake()
            except (RedisError, OSError) as error:
                log.warning("The doorbell can't be heard (%s); looking for jobs all the time.", error)
            finally:
                self.hears = False
                self.wake()  # or it would sleep on as one that hears
            await asyncio.sleep(_RECONNECT_SECONDS)
