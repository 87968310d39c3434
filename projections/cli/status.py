"""`status`: a table of the projections, then what holds them back and what to do about it."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from projections.cli.figures import age, count, some, took
from projections.cli.running import connected, print_json, run
from projections.engine.status import Building, OpenTransaction, Report, Status, read_status
from projections.registry import PROJECTIONS

_NARROW: Final = 100
_NOTHING: Final = "\N{EN DASH}"
_STYLES: Final = {"running": "", "paused": "yellow", "outdated": "yellow"}

#: A transaction that has lasted for less is the normal course of things.
_LONG_SECONDS: Final = 1.0
#: With a worker, an event waits for a few milliseconds, and for a second if nobody rang for it.
_UNATTENDED_SECONDS: Final = 10.0


def show_status(*, as_json: bool) -> None:
    """Print where every projection stands."""

    async def look() -> Report:
        async with connected() as connection:
            return await read_status(connection, PROJECTIONS)

    report = run(look())
    if as_json:
        print_json(_as_json(report))
        return
    console, now = Console(), datetime.now(UTC)
    console.print(status_table(report.projections, width=console.width, now=now))
    for sentence in remarks(report, now=now):
        typer.echo(sentence)


def _as_json(report: Report) -> dict[str, Any]:
    return asdict(report) | {
        "projections": [asdict(each) | {"seconds_left": each.seconds_left} for each in report.projections],
        "remarks": list(remarks(report, now=datetime.now(UTC))),
    }


def status_table(rows: list[Status], *, width: int, now: datetime) -> Table:
    """Return the table: of 80 columns, or up to 100 where there is room."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if width < _NARROW else 1), collapse_padding=True)
    table.add_column("\nprojection", no_wrap=True)
    table.add_column("\nv", justify="right", no_wrap=True)
    table.add_column("\nstate", no_wrap=True)
    for heading in ("events\nbehind", "time\nbehind", "time\nleft", "last\nstep", "its\nevents", "its\ntime"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("\nparked", "veri-\nfied"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row, now))
    return table


def _cells(row: Status, now: datetime) -> Iterator[str | Text]:
    yield from (row.projection, str(row.version), Text(row.state, style=_STYLES.get(row.state, "red")))
    if row.state == "unbuilt":
        yield from (_NOTHING for _ in range(8))
        return
    yield count(row.events_behind)
    yield took(row.seconds_behind) if row.events_behind else "0 s"
    yield _NOTHING if row.seconds_left is None else age(row.seconds_left)
    yield _ago(row.updated_at, now)
    yield count(row.step_events)
    yield took(row.step_seconds)
    yield count(row.parked)
    yield _ago(row.verified_at, now)


def _ago(moment: datetime | None, now: datetime) -> str:
    return _NOTHING if moment is None else age((now - moment).total_seconds())


def remarks(report: Report, *, now: datetime) -> Iterator[str]:
    """Say what is not as it should be, and what to do about it."""
    if report.oldest_transaction and report.oldest_transaction.seconds >= _LONG_SECONDS:
        yield _of_transaction(report.oldest_transaction)
    if report.building:
        yield _of_building(report.building)
    unattended = [each.projection for each in report.projections if _is_unattended(each, now)]
    if unattended:
        yield f"Nobody seems to fold {', '.join(unattended)}. Next: inkfold worker"
    for each in report.projections:
        yield from _of_projection(each, building=report.building is not None and report.building.pid is not None)


def _is_unattended(row: Status, now: datetime) -> bool:
    if row.state not in {"running", "outdated"} or row.updated_at is None:
        return False
    return min(row.seconds_behind, (now - row.updated_at).total_seconds()) > _UNATTENDED_SECONDS


def _of_transaction(oldest: OpenTransaction) -> str:
    return (
        f"The oldest open transaction holds back its own events, and no others: pid {oldest.pid} "
        f"({oldest.application_name or 'no name'}, as {oldest.username}), {oldest.state}, for {took(oldest.seconds)}. "
        f"Its last statement: {' '.join(oldest.query.split())}"
    )


def _of_building(building: Building) -> str:
    written = f"{decimal(building.bytes)} of about {decimal(building.expected_bytes)} are written"
    if building.pid is not None:
        return f"A rebuild is under way (pid {building.pid}): {written}."
    return (
        f"A rebuild was interrupted: {written}. The same command goes on with that; "
        "to drop it: inkfold projections rebuild --discard"
    )


def _of_projection(row: Status, *, building: bool) -> Iterator[str]:
    name, error = row.projection, f": {row.error}" if row.error else ""
    made = next(projection.version for projection in PROJECTIONS if projection.name == name)
    if row.state == "paused":
        yield f"{name} is paused{error}. Next: inkfold projections resume {name}"
    elif row.state == "failing":
        yield (
            f"{name} has failed {row.failures} times in a row{error}. It is tried again by itself, the others go on. "
            f"When that is mended, at once: inkfold projections resume {name}"
        )
    elif row.state == "unbuilt":
        yield f"{name} is not built yet.{'' if building else ' A worker builds it: inkfold worker'}"
    elif row.state == "outdated":
        yield (
            f"{name} has tables of version {row.version}, and is folded until version {made} takes their place."
            f"{'' if building else ' A worker of this release builds it: inkfold worker'}"
        )
    elif row.state == "newer":
        yield (
            f"{name} has tables of version {row.version}, made by a later release, which folds them; this one has "
            f"version {made}. To go back to it: inkfold projections rebuild {name}"
        )
    if row.parked:
        yield f"{name} lacks {some(row.parked, 'parked event')}. Next: inkfold projections parked list {name}"
    if row.different and not row.mended:
        yield (
            f"{name} had {some(row.different, 'row')} that differed when it was verified. "
            f"Next: inkfold projections verify {name} --repair"
        )
