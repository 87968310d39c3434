"""`prune`: drops old events."""

from datetime import timedelta
from typing import Final

import typer

from app.settings import settings
from projections.cli.figures import some
from projections.cli.progress import progress
from projections.cli.running import connected, print_json, run
from projections.engine.retention import prune
from projections.engine.status import Status, read_status
from projections.registry import PROJECTIONS

_STANDING: Final = frozenset({"paused", "failing", "newer"})


def prune_events(older_than: float | None, *, as_json: bool) -> None:
    """Drop events that are older than so many days and that every projection has folded."""
    days = settings().event_retention_days if older_than is None else older_than

    async def work() -> tuple[int, list[Status]]:
        async with connected() as connection:
            with progress() as report:
                pruned = await prune(connection, older_than=timedelta(days=days), report=report)
            return pruned, (await read_status(connection, PROJECTIONS)).projections

    pruned, found = run(work(), afterwards="What was pruned stays pruned, and the same command goes on.")
    holding = [each.projection for each in found if each.state in _STANDING and each.events_behind]
    if as_json:
        print_json({"pruned": pruned, "older_than_days": days, "held_by": holding})
        return
    typer.echo(f"Pruned {some(pruned, 'event')} older than {days:g} days.")
    for name in holding:
        typer.echo(f"{name} stands still, and the events that it has not folded are kept: inkfold projections status")
