"""Hashes and checks passwords with argon2id (RFC 9106) in a few threads of its own, off the event loop.

app.api.frame.password_queue and app.api.auth call it. It never keeps, logs or returns a password, and refuses work
rather than queue it without end.
"""

import asyncio
import os
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from threading import get_native_id
from typing import Any, Final, TypeVar

from passlib.hash import argon2

from app.errors import Overloaded

T = TypeVar("T")

#: How far hashing steps back where processors are short: whoever signs in waits, and not whoever reads.
_NICENESS: Final = 10

#: OWASP's least for argon2id: 19 MiB of memory, two passes, one lane.
SCHEME: Final = argon2.using(type="ID", memory_cost=19_456, time_cost=2, parallelism=1)


class PasswordHasher:
    """`threads` have their turn at once, and `queue` wait for theirs; one per process, on one event loop.

    `scheme` is passlib's handler of one kind of hash: what it does is all that is done with a password.
    """

    def __init__(self, *, threads: int, queue: int, scheme: Any = SCHEME) -> None:
        self._scheme = scheme
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password", initializer=_give_way)
        self._free_places = threads + queue
        self._turns = asyncio.Semaphore(threads)
        # Compared with when there is no such account, so that an answer takes as long either way.
        self._nobody: str = self._scheme.hash("nobody has this password")

    async def warm(self) -> None:
        """Run one check, since the first one of a process takes longer."""
        async with self.turn() as turn:
            await turn.verify("warming up", None)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places of those who have a turn or wait for it; raises Overloaded when none is free."""
        if not self._free_places:
            raise Overloaded("Too many people are signing in or registering at once. Try again.")
        self._free_places -= 1
        try:
            yield
        finally:
            self._free_places += 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Wait for one's turn, in the order of coming; what a password needs looked up is looked up in its turn."""
        async with self._turns:
            yield Turn(self._executor, self._scheme, self._nobody)

    def needs_rehash(self, hashed: str) -> bool:
        """Say whether a stored hash was made with other parameters than today's."""
        return bool(self._scheme.needs_update(hashed))

    def close(self) -> None:
        """Let the threads end; what still waits is given up."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class Turn:
    """The right to keep one thread busy."""

    def __init__(self, executor: ThreadPoolExecutor, scheme: Any, nobody: str) -> None:
        self._executor = executor
        self._scheme = scheme
        self._nobody = nobody

    async def hash(self, password: str) -> str:
        """Return a salted hash to be stored."""
        return await self.run(lambda: str(self._scheme.hash(_prepared(password))))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Say whether the password is the one hashed; None takes as long and is never right."""
        forms = dict.fromkeys((_prepared(password), password))  # hashes of before are of passwords as they were typed
        right = await self.run(lambda: any(self._scheme.verify(form, hashed or self._nobody) for form in forms))
        return right and hashed is not None

    async def run(self, work: Callable[[], T]) -> T:
        """Have the thread do it. Who is cancelled waits for its end: the turn is over when the thread is free."""
        job = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])
            raise


def _prepared(password: str) -> str:
    """Return what is hashed: the same however a keyboard composes letters and spaces (RFC 8265, OpaqueString)."""
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in password)
    return unicodedata.normalize("NFC", spaced)


def _give_way() -> None:
    if sys.platform == "linux":  # where each thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
