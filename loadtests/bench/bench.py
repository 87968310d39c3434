"""What every line of the benchmark is given: the system, the people, how long to measure, and how to."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from loadtests.bench.figures import Aim, LineFailedError, Load, Rate
from loadtests.bench.generator import send
from loadtests.bench.noise import Noise
from loadtests.bench.people import People
from loadtests.bench.program import Server
from loadtests.bench.sizes import BenchSize
from loadtests.bench.system import System
from projections.engine.checkpoint import Connection
from projections.engine.report import Report

_BEHIND: Final = "SELECT coalesce(bool_or(behind), false) FROM read_lag"
_LOOK_SECONDS: Final = 0.02
_WARM_SECONDS: Final = 1.0
_CATCH_UP_SECONDS: Final = 3_600


@dataclass(slots=True, kw_only=True)
class Bench:
    """One run of the benchmark."""

    system: System
    size: BenchSize
    people: People
    connection: Connection
    noise: Noise
    report: Report
    seconds: float
    #: The line that is being measured.
    line: str = ""
    #: The number of the next request: of many, none is sent again before all the others. A kept folder has seen others.
    sent: int = field(default_factory=lambda: random.randrange(10**9))
    most_likes_per_second: float = 0.0
    memory_before: dict[str, float] = field(default_factory=dict)

    def load(self, *paths: str, tokens: Sequence[str] = ("",), connections: int = 64) -> Load:
        """Return a load on the system's API."""
        return Load(port=self.system.port, paths=paths, tokens=tokens, connections=connections, seconds=self.seconds)

    async def measured(self, load: Load, *, server: Server | None = None) -> Rate:
        """Send a load, after a little of it to warm up, and note processor times; to another server, if one is given.

        That one's processor time is that of the group `limit`.
        """
        if server is None:
            return await self._measured(load)
        self.system.processes.added["limit"] = server.pid
        try:
            return await self._measured(replace(load, port=server.port))
        finally:
            del self.system.processes.added["limit"]

    async def _measured(self, load: Load) -> Rate:
        await self._sent(replace(load, seconds=min(_WARM_SECONDS, load.seconds)), warming=True)
        with self.system.processes.spending() as spent:
            rate = await self._sent(load)
        self.noise.saw(self.line, spent.others)
        return replace(rate, cpu_us=spent.per_request(rate.requests))

    async def _sent(self, load: Load, *, warming: bool = False) -> Rate:
        rate = await send(replace(load, first=self.sent), warming=warming)
        self.sent += rate.requests + load.connections
        return rate

    async def caught_up(self) -> None:
        """Wait until the projections reflect everything committed; raises LineFailedError when they never do."""
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while await self.connection.fetchval(_BEHIND):
            if time.monotonic() > deadline:
                raise LineFailedError(f"The projections have not caught up within {_CATCH_UP_SECONDS} s.")
            await asyncio.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the table: what is measured, against which limit, and what it should come to."""

    name: str
    title: str
    limit: str
    aims: Sequence[Aim]
    measure: Callable[[Bench], Awaitable[dict[str, float]]]
    #: Whether it should cost the same however large the blog is.
    flat: bool = False
