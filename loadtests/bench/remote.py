"""Measurements that run in processes of their own, on uvloop: they take JSON on standard input and give it back.

`remote` runs one and waits; `beside` lets one run until its block ends. `answer` is what such a program calls.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import uvloop

from loadtests.bench.figures import LineFailedError
from loadtests.bench.program import ROOT

_BEGUN: Final = b"begun\n"
_LONGEST_TASK: Final = 2**28


async def remote(module: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run a module on a task until it is done; return what it gives back."""
    async with beside(module, task) as result:
        await result.wait()
    return result.value


class Result:
    """What a program gives back, when it has ended."""

    def __init__(self, process: asyncio.subprocess.Process, module: str) -> None:
        self._process, self._module = process, module
        self.value: dict[str, Any] = {}

    async def wait(self) -> None:
        """Wait until it has ended by itself; raises LineFailedError when it failed."""
        assert self._process.stdout is not None
        output = await self._process.stdout.read()
        if await self._process.wait() != 0 or not output:
            raise LineFailedError(f"{self._module} ended with {self._process.returncode}; what it said stands above.")
        self.value = orjson.loads(output)


@asynccontextmanager
async def beside(module: str, task: dict[str, Any]) -> AsyncIterator[Result]:
    """Run a module on a task; at the end of the block it is told to stop, and its result is there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    result = Result(process, module)
    try:
        process.stdin.write(orjson.dumps(task) + b"\n")
        if await process.stdout.readline() != _BEGUN:
            raise LineFailedError(f"{module} did not begin; what it said stands above.")
        yield result
        if not result.value:
            process.stdin.close()
            await result.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _say(words: bytes) -> None:
    sys.stdout.buffer.write(words)
    sys.stdout.buffer.flush()


def answer(work: Callable[[dict[str, Any], asyncio.Event], Awaitable[dict[str, Any]]]) -> None:
    """Do the work that standard input asks for, and print its result; the event is set when it should stop."""

    async def run() -> None:
        asked, stop = asyncio.StreamReader(limit=_LONGEST_TASK), asyncio.Event()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
        task = orjson.loads(await asked.readline())
        closed = asyncio.create_task(asked.read())
        closed.add_done_callback(lambda _: stop.set())
        _say(_BEGUN)
        _say(orjson.dumps(await work(task, stop)))

    uvloop.run(run())
