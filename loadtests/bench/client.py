"""A small HTTP/1.1 client over raw sockets, one request at a time on each kept connection.

It is the load where `wrk` is not installed, and whatever else sends at a chosen pace or wants a single answer.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Self

from loadtests.bench.figures import LineFailedError, Load, Rate, quantiles_ms

_HOST: Final = "127.0.0.1"
_GOOD: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its header lines as they came, and its body."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Wire:
    """One connection; a context manager that closes it."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(_HOST, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read its answer; raises LineFailedError when none comes that can be read."""
        try:
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, *lines = head[:-4].split(b"\r\n")
            pairs = (line.split(b":", 1) for line in lines)
            headers = [(name.strip().lower(), value.strip()) for name, value in pairs]
            length = int(dict(headers).get(b"content-length", b"0"))
            return Answer(int(status.split(b" ")[1]), headers, await self._reader.readexactly(length))
        except (OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError) as error:
            raise LineFailedError(f"No answer to {request.splitlines()[0]!r}: {error!r}") from error


async def ask(load: Load, number: int = 0, *, body: bytes = b"") -> Answer:
    """Send one request of a load; raises LineFailedError unless it is answered 2xx."""
    async with Wire(load.port) as wire:
        answer = await wire.ask(load.request(number, body))
    if answer.status not in _GOOD:
        raise LineFailedError(
            f"{load.method} {load.paths[number % len(load.paths)]} was answered {answer.status}: {answer.body[:200]!r}"
        )
    return answer


async def run(load: Load) -> Rate:
    """Send the load as fast as this process can."""
    course = _Course(load)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(load.port)) for _ in range(load.connections)]
        began = time.perf_counter()
        await asyncio.gather(*(course.run(wire, began + load.seconds) for wire in wires))
        took = time.perf_counter() - began
    p50, p99 = quantiles_ms(course.seconds)
    return Rate(requests=len(course.seconds), seconds=took, p50_ms=p50, p99_ms=p99, failed=course.failed)


class _Course:
    """What the connections of one load share."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._next = load.first
        self.seconds: list[float] = []
        self.failed = 0

    async def run(self, wire: Wire, until: float) -> None:
        sent = time.perf_counter()
        while sent < until:
            number, self._next = self._next, self._next + 1
            answer = await wire.ask(self._load.request(number))
            answered = time.perf_counter()
            self.seconds.append(answered - sent)
            self.failed += answer.status not in _GOOD
            sent = answered
