"""Other clients, who read at a chosen pace while something hostile goes on; in a process of their own: `reading`.

Each request is due at its moment, and its time counts from then. What fails is counted, and stops nobody.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any, Final, Self

from loadtests.bench.client import Wire
from loadtests.bench.figures import LineFailedError, quantiles_ms
from loadtests.bench.remote import answer, beside
from loadtests.hostile.client import GOOD, request
from loadtests.hostile.people import Person

_PATIENCE_SECONDS: Final = 10.0
#: So many may wait for an answer at once.
_READERS: Final = 64


@dataclass(slots=True)
class Read:
    """What their requests came to: how long those took that were answered, and what failed how often."""

    seconds: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "Read") -> Self:
        self.seconds += other.seconds
        self.failed += other.failed
        return self

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return quantiles_ms(self.seconds)[1]

    def __str__(self) -> str:
        p50, p99 = quantiles_ms(self.seconds)
        failed = ", ".join(f"{what} {times:,}" for what, times in self.failed.most_common())
        errors = f"{self.failed.total()} errors" + (f" ({failed})" if failed else "")
        return f"{len(self.seconds):,} reads, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {errors}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bystanders:
    """Who reads, what, and how often in all; with `fresh`, each request goes over a new connection."""

    port: int
    paths: Sequence[str]
    tokens: Sequence[str]
    per_second: float
    fresh: bool = False

    @classmethod
    def among(cls, port: int, people: Sequence[Person], *, per_second: float, fresh: bool = False) -> "Bystanders":
        """Let these people read lists, and one another's posts."""
        paths = ["/posts/", "/posts/top/", *(f"/posts/{person.post_id}/" for person in people)]
        return cls(port=port, paths=paths, tokens=[each.token for each in people], per_second=per_second, fresh=fresh)


@asynccontextmanager
async def reading(bystanders: Bystanders) -> AsyncIterator[Read]:
    """Let them read until the block ends; what is yielded is filled in then."""
    read = Read()
    async with beside("loadtests.hostile.bystanders", asdict(bystanders)) as result:
        yield read
    read += Read(result.value["seconds"], Counter(result.value["failed"]))


async def read_for(bystanders: Bystanders, seconds: float) -> Read:
    """Let them read for so many seconds."""
    async with reading(bystanders) as read:
        await asyncio.sleep(seconds)
    return read


class _Reader:
    """One of those whose requests take turns."""

    def __init__(self, bystanders: Bystanders) -> None:
        self._of = bystanders
        self._wire: Wire | None = None

    async def ask(self, number: int) -> str:
        """Send request `number`; return what went wrong with it, nothing if all is well."""
        paths, tokens = self._of.paths, self._of.tokens
        sent = request("GET", paths[number % len(paths)], token=tokens[number % len(tokens)])
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if self._wire is None:
                    self._wire = await Wire(self._of.port).__aenter__()
                status = (await self._wire.ask(sent)).status
        except TimeoutError:
            await self.close()
            return f"no answer in {_PATIENCE_SECONDS:.0f} s"
        except (OSError, LineFailedError):
            await self.close()
            return "no answer"
        if self._of.fresh:
            await self.close()
        return "" if status in GOOD else str(status)

    async def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.__aexit__(None, None, None)


async def _stopped(stop: asyncio.Event, *, within: float) -> bool:
    """Wait so many seconds, or until told to stop; return whether that was so."""
    try:
        async with asyncio.timeout(max(within, 0)):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _read(task: Mapping[str, Any], stop: asyncio.Event) -> dict[str, Any]:
    bystanders = Bystanders(**task)
    read, numbers, began = Read(), count(), time.perf_counter()

    async def go_on(reader: _Reader) -> None:
        while True:
            number = next(numbers)
            due = began + number / bystanders.per_second
            if await _stopped(stop, within=due - time.perf_counter()):
                break
            fault = await reader.ask(number)
            if fault:
                read.failed[fault] += 1
            else:
                read.seconds.append(time.perf_counter() - due)
        await reader.close()

    await asyncio.gather(*(go_on(_Reader(bystanders)) for _ in range(_READERS)))
    return {"seconds": read.seconds, "failed": read.failed}


if __name__ == "__main__":
    answer(_read)
