"""Fills a system once with the blog of a size, through `inkfold demo`'s own code; a kept folder is used again."""

from pathlib import Path
from typing import Final

import asyncpg

from app.demo.run import run as run_demo
from loadtests.bench.figures import LineFailedError
from loadtests.bench.people import add_people
from loadtests.bench.sizes import BenchSize
from loadtests.bench.system import System
from projections.engine.report import Report

_SEED: Final = 4


class _DemoReport:
    """The demo advances, the benchmark's report is told how far."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._done = 0

    def begin(self, phase: str, rows: int | None, /) -> None:
        self._done = 0
        self._report.begin(f"Filling: {phase}", rows, "rows")

    def advance(self, rows: int, /) -> None:
        self._done += rows
        self._report.reach(self._done)


async def fill(system: System, size: BenchSize, report: Report) -> None:
    """Fill it, unless it was before. Raises LineFailedError when it was filled with another size."""
    mark = _mark(system.folder)
    if mark.exists():
        if (found := mark.read_text("ascii")) != size.name:
            raise LineFailedError(
                f"{system.folder} holds a blog of size {found}, not {size.name}. Choose another folder."
            )
        return
    await run_demo(system.config.database_url, size.blog, seed=_SEED, report=_DemoReport(report))
    connection = await asyncpg.connect(system.config.database_url)
    try:
        report.begin("Filling: people", None, "rows")
        await add_people(connection, size)
        report.begin("Vacuuming", None, "rows")
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    mark.write_text(size.name, "ascii")


def _mark(folder: Path) -> Path:
    return folder / "bench-size"
