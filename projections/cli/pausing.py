"""`pause` and `resume`."""

from collections.abc import Awaitable, Callable

import typer

from projections.cli.choice import one
from projections.cli.running import connected, leave, print_json, run
from projections.engine.checkpoint import Connection, pause, resume


def pause_projection(name: str, *, as_json: bool) -> None:
    """Let a projection stand still."""
    _tell(pause, name)
    if as_json:
        print_json({"projection": name, "state": "paused"})
    else:
        typer.echo(
            f"{name} stands still. Queries show what it reflects, and those that must see more are answered 503. "
            f"To go on: inkfold projections resume {name}"
        )


def resume_projection(name: str, *, as_json: bool) -> None:
    """Let a paused or failing projection go on."""
    _tell(resume, name)
    if as_json:
        print_json({"projection": name, "state": "running"})
    else:
        typer.echo(f"{name} goes on: a worker folds what it has missed.")


def _tell(change: Callable[[Connection, str], Awaitable[bool]], name: str) -> None:
    projection = one(name)

    async def work() -> bool:
        async with connected() as connection:
            return await change(connection, projection.name)

    if not run(work()):
        leave(f"{name} is not built yet. A worker builds it: inkfold worker")
