"""Hashes and checks passwords with argon2id (RFC 9106) in a few threads of its own, off the event loop.

app.api.auth calls it. It never keeps, logs or returns a password, and refuses work rather than queue it without end.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, get_native_id
from typing import Final, TypeVar

from passlib.hash import argon2

from app.errors import Overloaded

T = TypeVar("T")

#: How far hashing steps back where processors are short: whoever signs in waits, and not whoever reads.
_NICENESS: Final = 10

#: OWASP's least for argon2id: 19 MiB of memory, two passes, one lane.
_SCHEME: Final = argon2.using(type="ID", memory_cost=19_456, time_cost=2, parallelism=1)


class PasswordHasher:
    """At most `threads` passwords are worked on at once, and `queue` wait; one per process."""

    def __init__(self, *, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password", initializer=_give_way)
        self._places = BoundedSemaphore(threads + queue)
        # Compared with when there is no such account, so that an answer takes as long either way.
        self._nobody: str = _SCHEME.hash("nobody has this password")

    async def warm(self) -> None:
        """Run one check, since the first one of a process takes longer."""
        await self.verify("warming up", None)

    async def hash(self, password: str) -> str:
        """Return a salted hash to be stored; raises Overloaded when too many wait."""
        return await self._run(lambda: str(_SCHEME.hash(password)))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Say whether the password is the one hashed; None takes as long and is never right. Raises Overloaded."""
        right = await self._run(lambda: bool(_SCHEME.verify(password, hashed or self._nobody)))
        return right and hashed is not None

    def needs_rehash(self, hashed: str) -> bool:
        """Say whether a stored hash was made with other parameters than today's."""
        return bool(_SCHEME.needs_update(hashed))

    def close(self) -> None:
        """Let the threads end; what still waits is given up."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Overloaded("Too many people are signing in or registering at once. Try again.")
        try:
            job = self._executor.submit(work)
        except BaseException:
            self._places.release()
            raise
        # When the thread is done, and not when the caller gives up: the thread is busy until then.
        job.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(job)


def _give_way() -> None:
    if sys.platform == "linux":  # where each thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
