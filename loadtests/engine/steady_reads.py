"""An API process of an own system, and a reader who asks it for the first page at a steady rate."""

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

import app
from app.embedded.process import end, spawn

_PORT: Final = 8971
_READS_PER_SECOND: Final = 50
_LOOK_SECONDS: Final = 0.02
_STOP_SECONDS: Final = 15


@dataclass(slots=True)
class Reads:
    """What a reader has waited for pages that it asked for at a steady rate, in seconds."""

    seconds: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """Of 100 reads, 99 took no longer."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[98]


@asynccontextmanager
async def api(folder: Path) -> AsyncIterator[None]:
    """Run an API process beside the own system until the block ends; begins when it answers."""
    process = spawn(
        (sys.executable, "-P", "-m", "app.cli", "api"),
        end_with=signal.SIGKILL,
        environment={**os.environ, "PORT": str(_PORT), "PYTHONPATH": str(Path(app.__path__[0]).parent)},
        log=folder / "api.log",
    )
    try:
        await _until_it_answers()
        yield
    finally:
        end(process, (signal.SIGTERM, _STOP_SECONDS))


@asynccontextmanager
async def reading() -> AsyncIterator[Reads]:
    """Read the first page until the block ends, each time counted from when it was due."""
    reads = Reads()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{_PORT}") as client:

        async def read(due: float) -> None:
            (await client.get("/posts/")).raise_for_status()
            reads.seconds.append(time.monotonic() - due)

        async def keep_reading() -> None:
            begun, turn = time.monotonic(), 0
            async with asyncio.TaskGroup() as tasks:
                while True:
                    turn += 1
                    due = begun + turn / _READS_PER_SECOND
                    await asyncio.sleep(due - time.monotonic())
                    tasks.create_task(read(due))

        reader = asyncio.create_task(keep_reading())
        try:
            yield reads
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _until_it_answers() -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{_PORT}") as client:
        while True:
            try:
                (await client.get("/posts/")).raise_for_status()
            except httpx.HTTPError:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return
