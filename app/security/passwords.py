"""Hashes and checks passwords with argon2id (RFC 9106) in a few threads of its own, off the event loop.

app.api.auth calls it. It never keeps, logs or returns a password, and refuses work rather than queue it without end.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, get_native_id
from typing import Any, Final, TypeVar

from passlib.hash import argon2

from app.errors import Overloaded

T = TypeVar("T")

#: How far hashing steps back where processors are short: whoever signs in waits, and not whoever reads.
_NICENESS: Final = 10

#: OWASP's least for argon2id: 19 MiB of memory, two passes, one lane.
SCHEME: Final = argon2.using(type="ID", memory_cost=19_456, time_cost=2, parallelism=1)


class PasswordHasher:
    """At most `threads` passwords are worked on at once, and `queue` wait; one per process.

    `scheme` is passlib's handler of one kind of hash: what it does is all that is done with a password.
    """

    def __init__(self, *, threads: int, queue: int, scheme: Any = SCHEME) -> None:
        self._scheme = scheme
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password", initializer=_give_way)
        self._places = BoundedSemaphore(threads + queue)
        # Compared with when there is no such account, so that an answer takes as long either way.
        self._nobody: str = self._scheme.hash("nobody has this password")

    async def warm(self) -> None:
        """Run one check, since the first one of a process takes longer."""
        await self.verify("warming up", None)

    def require_room(self) -> None:
        """Raise Overloaded when too many wait now: whoever has more to do before a password's turn asks first."""
        self._take_place()
        self._places.release()

    async def hash(self, password: str) -> str:
        """Return a salted hash to be stored; raises Overloaded when too many wait."""
        return await self._run(lambda: str(self._scheme.hash(password)))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Say whether the password is the one hashed; None takes as long and is never right. Raises Overloaded."""
        right = await self._run(lambda: bool(self._scheme.verify(password, hashed or self._nobody)))
        return right and hashed is not None

    def needs_rehash(self, hashed: str) -> bool:
        """Say whether a stored hash was made with other parameters than today's."""
        return bool(self._scheme.needs_update(hashed))

    def close(self) -> None:
        """Let the threads end; what still waits is given up."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        self._take_place()
        try:
            job = self._executor.submit(work)
        except BaseException:
            self._places.release()
            raise
        # When the thread is done, and not when the caller gives up: the thread is busy until then.
        job.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(job)

    def _take_place(self) -> None:
        if not self._places.acquire(blocking=False):
            raise Overloaded("Too many people are signing in or registering at once. Try again.")


def _give_way() -> None:
    if sys.platform == "linux":  # where each thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
