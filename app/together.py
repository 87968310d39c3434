"""Makes one statement of the look-ups of many requests that come in at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Together(Generic[K, V]):
    """Looks up keys by `fetch`, which is given several at once and returns as many values in their order.

    While `at_once` fetches run, keys gather for the next one: it begins after they were asked for.
    """

    def __init__(self, fetch: Callable[[Sequence[K]], Awaitable[Sequence[V]]], *, most: int, at_once: int) -> None:
        self._fetch = fetch
        self._most = most
        self._at_once = at_once
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps none from being collected

    async def load(self, key: K) -> V:
        """Return the value of `key` as it is at a moment after the call. Raises what `fetch` raises."""
        waiter = self._waiting.get(key)
        if waiter is None:
            waiter = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._running < self._at_once:
                self._running += 1
                task = asyncio.create_task(self._fetch_while_asked())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(waiter)

    async def _fetch_while_asked(self) -> None:
        try:
            await self._fetch_all()
        finally:
            self._running -= 1  # not when the task is called done: whoever asked in between would wait for ever

    async def _fetch_all(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[: self._most]
            waiters = [self._waiting.pop(key) for key in keys]
            try:
                values = await self._fetch(keys)
            except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it is
                for waiter in waiters:
                    waiter.set_exception(error)
            else:
                for waiter, value in zip(waiters, values, strict=True):
                    waiter.set_result(value)
