"""Connections that never come to an end of what they send: headers a byte at a time, or half a body and then nothing.

Each notes whether the server put an end to it, when, and with which status.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from loadtests.hostile.system import HOST

Manner: TypeAlias = Literal["headers", "body"]
MANNERS: Final[tuple[Manner, ...]] = ("headers", "body")

_CONNECT_SECONDS: Final = 10.0
_HALF: Final = 500

_BEGINNINGS: Final[dict[Manner, bytes]] = {
    "headers": b"POST /auth/register/ HTTP/1.1\r\nHost: inkfold.test\r\nX-Slow: ",
    "body": (
        b"POST /auth/register/ HTTP/1.1\r\nHost: inkfold.test\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (2 * _HALF)
    )
    + b" " * _HALF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A connection that the server closed: after how many seconds, and with which status, if it sent one."""

    manner: Manner
    seconds: float
    status: str


@dataclass(slots=True, kw_only=True)
class SlowConnections:
    """All of them, as they come."""

    port: int
    #: Seconds between two bytes of the headers.
    drip: float
    open: Counter[Manner] = field(default_factory=Counter)
    refused: int = 0
    ended: list[Ended] = field(default_factory=list)
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def grow(self, number: int) -> None:
        """Open connections, each manner in turn, until there have been so many."""
        while len(self._tasks) < number:
            some = min(50, number - len(self._tasks))  # more at once than that would be another attack
            begun = [asyncio.Event() for _ in range(some)]
            for each in begun:
                manner = MANNERS[len(self._tasks) % len(MANNERS)]
                self._tasks.append(asyncio.create_task(self._hold(manner, each)))
            await asyncio.gather(*(each.wait() for each in begun))

    async def close(self) -> None:
        """Close what is open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def said(self) -> str:
        """What the server has done with them so far."""
        held = ", ".join(f"{self.open[manner]:,} with half a {_NAMES[manner]}" for manner in MANNERS)
        words = [f"open: {held}"]
        for (manner, status), seconds in self._endings().items():
            words.append(
                f"closed by the server: {len(seconds):,} with half a {_NAMES[manner]}, {status}, "
                f"after {min(seconds):.1f} to {max(seconds):.1f} s"
            )
        if self.refused:
            words.append(f"not let in: {self.refused:,}")
        return "; ".join(words)

    def _endings(self) -> dict[tuple[Manner, str], Sequence[float]]:
        endings: dict[tuple[Manner, str], list[float]] = {}
        for each in self.ended:
            endings.setdefault((each.manner, each.status), []).append(each.seconds)
        return dict(endings)

    async def _hold(self, manner: Manner, begun: asyncio.Event) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            self.refused += 1
            return
        finally:
            begun.set()
        self.open[manner] += 1
        try:
            answer = await self._send(manner, reader, writer)
            self.ended.append(Ended(manner=manner, seconds=time.monotonic() - began, status=_status(answer)))
        finally:
            self.open[manner] -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _send(self, manner: Manner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Send slowly for as long as the server listens; return the beginning of what it says at last."""
        said = asyncio.create_task(reader.read(1_000))
        try:
            writer.write(_BEGINNINGS[manner])
            for _ in itertools.count():
                done, _pending = await asyncio.wait([said], timeout=self.drip)
                if done:
                    return said.result()
                if manner == "headers":
                    writer.write(b"a")
        except OSError:
            return b""
        finally:
            said.cancel()
        raise AssertionError("unreachable")


_NAMES: Final[dict[Manner, str]] = {"headers": "head", "body": "body"}


def _status(answer: bytes) -> str:
    words = answer.partition(b"\r\n")[0].split(b" ", 2)
    return words[1].decode("ascii", "replace") if len(words) > 1 else "without an answer"
