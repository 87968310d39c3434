"""`parked list`, `parked show` and `parked drop`."""

from dataclasses import asdict
from datetime import UTC, datetime

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from projections.cli.choice import one
from projections.cli.figures import age, some
from projections.cli.running import connected, leave, print_json, run
from projections.engine.parked import ParkedEvent, drop_parked, list_parked


def show_list(name: str | None, *, as_json: bool) -> None:
    """Print which events are parked."""
    events = _parked(None if name is None else one(name).name)
    if as_json:
        print_json({"parked": [asdict(event) for event in events]})
        return
    if not events:
        typer.echo("No event is parked.")
        return
    Console().print(_table(events))
    typer.echo(
        "Next: `inkfold projections parked show NAME POSITION`, then `parked replay NAME` when the cause is mended, or "
        "`verify NAME --repair`, which derives anew the rows that lack them."
    )


def show_event(name: str, position: int, *, as_json: bool) -> None:
    """Print everything of a parked event."""
    events = _parked(one(name).name, position)
    if not events:
        leave(f"No event of {name} is parked at position {position}. See: inkfold projections parked list {name}")
    event = asdict(events[0])
    if as_json:
        print_json(event)
        return
    payload = orjson.dumps(event.pop("payload"), option=orjson.OPT_INDENT_2).decode()
    for label, value in event.items():
        said = f"{value:%Y-%m-%d %H:%M:%S.%f} UTC" if isinstance(value, datetime) else value
        typer.echo(f"{label.replace('_', ' '):11} {said}")
    typer.echo(f"{'payload':11} {payload}")


def drop_events(name: str, position: int | None, *, yes: bool, as_json: bool) -> None:
    """Forget parked events, after a confirmation."""
    events = _parked(one(name).name, position)
    if not events:
        leave(_nothing(name, position))
    if not yes:
        typer.confirm(f"Forget {some(len(events), 'parked event')} of {name} without folding?", abort=True, err=True)

    async def work() -> int:
        async with connected() as connection:
            return await drop_parked(connection, name, position)

    dropped = run(work())
    if as_json:
        print_json({"projection": name, "dropped": dropped})
        return
    typer.echo(
        f"Dropped {some(dropped, 'event')}. `verify` now reports the rows that lack what happened; to settle that: "
        f"inkfold projections verify {name} --repair"
    )


def _nothing(name: str, position: int | None) -> str:
    where = "" if position is None else f" at position {position}"
    return f"No event of {name} is parked{where}."


def _parked(name: str | None, position: int | None = None) -> list[ParkedEvent]:
    async def work() -> list[ParkedEvent]:
        async with connected() as connection:
            return await list_parked(connection, name, position)

    return run(work())


def _table(events: list[ParkedEvent]) -> Table:
    now = datetime.now(UTC)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("projection", no_wrap=True)
    table.add_column("position", justify="right", no_wrap=True)
    table.add_column("event", no_wrap=True)
    table.add_column("parked", justify="right", no_wrap=True)
    table.add_column("tries", justify="right", no_wrap=True)
    table.add_column("error", no_wrap=True, overflow="ellipsis", ratio=1)
    for event in events:
        parked = age((now - event.parked_at).total_seconds())
        # What PostgreSQL says may look like markup.
        error = Text(" ".join(event.error.split()))
        table.add_row(event.projection, str(event.position), event.type, parked, str(event.tries), error)
    return table
