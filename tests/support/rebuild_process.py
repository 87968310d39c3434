"""A process that rebuilds everything, to be stopped and killed: `python -m tests.support.rebuild_process`.

Its sessions lose their locks after 1 s of silence rather than 10, for those who wait for that.
"""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from app.db import connect_building
from app.settings import settings
from projections.engine.rebuild import rebuild
from projections.registry import PROJECTIONS
from tests.support.rebuilding import SESSIONS

ROOT = Path(__file__).parents[2]


class Impatient(asyncpg.Connection):
    """A connection on which ten seconds are one."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        return await super().execute(query.replace("'10s'", "'1s'"), *args, timeout=timeout)


@asynccontextmanager
async def rebuilding_process() -> AsyncIterator[Process]:
    """Let the process run beside the block; it is killed at the end if it has not ended by then."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, cwd=ROOT)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncpg.connect = partial(asyncpg.connect, connection_class=Impatient)  # type: ignore[assignment]
    asyncio.run(rebuild(partial(connect_building, settings()), PROJECTIONS, sessions=SESSIONS))
