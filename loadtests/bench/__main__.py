"""The benchmark: `make bench`, or `python -m loadtests.bench`. Figures as ratios to limits measured beside them."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncpg

from loadtests.bench import chart, course, record
from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import LineFailedError
from loadtests.bench.filling import fill
from loadtests.bench.lines import LINES
from loadtests.bench.noise import probing
from loadtests.bench.people import inkfold, sign_in
from loadtests.bench.sizes import SIZES, BenchSize
from loadtests.bench.system import running_system
from loadtests.bench.table import Rows, growth_rows, markdown, rows_of, show
from loadtests.engine.display import OUT
from projections.cli.progress import progress

_ROUNDS: Final = 2


async def measure(lines: list[Line], *, size: BenchSize, folder: Path, seconds: float) -> dict[str, Any]:
    """Start a system, fill it, measure the lines, verify the read tables, and return the record."""
    with progress() as report:
        report.begin("Starting", None, "")
        async with running_system(folder, size.postgres) as system, probing() as noise:
            await fill(system, size, report)
            connection = await asyncpg.connect(system.config.database_url)
            bench = Bench(
                system=system,
                size=size,
                people=await sign_in(connection, system),
                connection=connection,
                noise=noise,
                report=report,
                seconds=seconds,
            )
            findings = await course.run(bench, lines, rounds=_ROUNDS)
            report.begin("Verifying", None, "rows")
            await inkfold("projections", "verify")
            found = await record.record_of(bench, findings)
            await connection.close()
    return found


def chosen(only: str) -> list[Line]:
    """Return the lines named, or all; raises SystemExit for a name that no line has."""
    names = [name for name in only.split(",") if name] or [line.name for line in LINES]
    by_name = {line.name: line for line in LINES}
    if unknown := [name for name in names if name not in by_name]:
        raise SystemExit(f"No line is called {', '.join(unknown)}. There are: {', '.join(by_name)}.")
    return [by_name[name] for name in names]


@contextmanager
def data_folder(kept: Path | None) -> Iterator[Path]:
    """Yield the folder to keep, or one that is removed at the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with TemporaryDirectory(prefix="inkfold-bench-") as name:
        yield Path(name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument("--only", default="", help="lines to measure, separated by commas")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--size", choices=SIZES, default=os.environ.get("SIZE") or "small")
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="folder for the record and the chart")
    parser.add_argument("--data-dir", type=Path, help="keep the filled system here, and use it again")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument(
        "--records",
        type=Path,
        nargs="+",
        help="measure nothing: show an earlier record, or how reads grow over several",
    )
    return parser.parse_args()


def main() -> int:
    """Run the benchmark; return the exit code: 1 when a line has no figure, 130 after Ctrl-C."""
    arguments = _arguments()
    if arguments.records:
        records = [record.read(file) for file in arguments.records]
        tell(growth_rows(records) if len(records) > 1 else rows_of(records[0]), as_markdown=arguments.markdown)
        return 0
    lines = chosen(arguments.only)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    size = SIZES[arguments.size]
    try:
        with data_folder(arguments.data_dir) as folder:
            found = asyncio.run(measure(lines, size=size, folder=folder, seconds=arguments.seconds))
    except LineFailedError as error:
        print(f"The benchmark failed. {error}", file=sys.stderr)  # noqa: T201 - where failures are told
        return 1
    except KeyboardInterrupt:
        return 130
    file = record.write(found, arguments.output)
    tell(rows_of(found), as_markdown=arguments.markdown)
    for warning in found["noise"]["warnings"]:
        OUT.print(f"NOISE: {warning}")
    load = found["load"]
    OUT.print(f"Load: {load['from']}; against a bare app of 2,000 bytes {load['ceiling_per_second']:,.0f} requests/s.")
    OUT.print(f"Everything is in {file}, the chart in {chart.write(found, arguments.output)}")
    if failed := record.failures(found):
        print(f"No figures, since they failed: {', '.join(failed)}.", file=sys.stderr)  # noqa: T201 - as above
    return 1 if failed else 0


def tell(rows: Rows, *, as_markdown: bool) -> None:
    """Print a table."""
    if as_markdown:
        OUT.print(markdown(rows))
    else:
        show(rows)


if __name__ == "__main__":
    sys.exit(main())
