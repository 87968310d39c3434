"""Requests at a chosen pace, in a process of its own, until told to stop: `pacing`.

Each is due at its moment, whether the ones before have been answered or not, and its time counts from then.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from itertools import count
from typing import Any, Final

from loadtests.bench.client import Wire
from loadtests.bench.figures import LineFailedError, Load, Rate, quantiles_ms
from loadtests.bench.remote import answer, beside

_GOOD: Final = range(200, 300)


class Paced:
    """What a paced load came to, when its block has ended."""

    rate: Rate


@asynccontextmanager
async def pacing(load: Load, *, per_second: float) -> AsyncIterator[Paced]:
    """Send the load at this pace until the block ends; raises LineFailedError when a request failed."""
    paced = Paced()
    async with beside("loadtests.bench.pace", {"load": asdict(load), "per_second": per_second}) as result:
        yield paced
    paced.rate = Rate(**result.value)
    if paced.rate.failed or not paced.rate.requests:
        raise LineFailedError(f"{paced.rate.failed} of {paced.rate.requests} paced requests failed.")


async def _pace(task: dict[str, Any], stop: asyncio.Event) -> dict[str, Any]:
    load, pause = Load(**task["load"]), 1 / task["per_second"]
    seconds: list[float] = []
    failed, numbers, began = 0, count(), time.perf_counter()

    async def send(wire: Wire) -> None:
        nonlocal failed
        while not stop.is_set():
            number = next(numbers)
            due = began + number * pause
            await asyncio.sleep(due - time.perf_counter())
            reply = await wire.ask(load.request(load.first + number))
            seconds.append(time.perf_counter() - due)
            failed += reply.status not in _GOOD

    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(load.port)) for _ in range(load.connections)]
        await asyncio.gather(*map(send, wires))
    p50, p99 = quantiles_ms(seconds)
    return asdict(
        Rate(requests=len(seconds), seconds=time.perf_counter() - began, p50_ms=p50, p99_ms=p99, failed=failed)
    )


if __name__ == "__main__":
    answer(_pace)
