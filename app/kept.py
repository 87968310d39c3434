"""Answers that are kept with what they reflect, and given again for as long as the read tables reflect just that.

app.api.lane uses it. No answer grows old here: whoever takes one has looked, after their request came in, that
nothing has changed since (app.glances). It may be emptied at any moment.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.glances import Mark


class Sized(Protocol):
    """Something that knows how much memory it takes."""

    @property
    def size(self) -> int:
        """About how many bytes."""
        ...


V = TypeVar("V", bound=Sized)


@dataclass(slots=True)
class _Entry(Generic[V]):
    mark: Mark
    value: V
    size: int


class Kept(Generic[V]):
    """The answers used last, of `most_bytes` together at most."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        self._fetches: dict[tuple[Hashable, Mark], asyncio.Task[V | None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Hashable, mark: Mark) -> V | None:
        """Return the answer that was kept as reflecting `mark`."""
        entry = self._entries.get(key)
        if entry is None or entry.mark != mark:
            return None
        self._entries.move_to_end(key)
        return entry.value

    async def fetch(self, key: Hashable, mark: Mark, fetch: Callable[[], Awaitable[V | None]]) -> V | None:
        """Fetch an answer that reflects `mark` or what came later, and keep it.

        Whoever asks for the same at the same mark shares one fetch, also one that began before they came: what it
        finds is what they have just seen to hold, or newer. None, when there is no answer, is not kept.
        """
        running = self._fetches.get((key, mark))
        if running is None:
            running = asyncio.create_task(self._fetch(key, mark, fetch))
            self._fetches[key, mark] = running
        return await asyncio.shield(running)

    async def _fetch(self, key: Hashable, mark: Mark, fetch: Callable[[], Awaitable[V | None]]) -> V | None:
        try:
            value = await fetch()
        finally:
            del self._fetches[key, mark]
        if value is not None:
            self._keep(key, _Entry(mark, value, value.size))
        return value

    def _keep(self, key: Hashable, entry: _Entry[V]) -> None:
        replaced = self._entries.pop(key, None)
        self._bytes += entry.size - (replaced.size if replaced else 0)
        self._entries[key] = entry
        while self._bytes > self._most_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= dropped.size
