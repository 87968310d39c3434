"""Which projections a command is about, by the names that were typed."""

from collections.abc import Sequence

import typer

from projections.engine.projection import Projection
from projections.registry import PROJECTIONS

_BY_NAME = {projection.name: projection for projection in PROJECTIONS}


def one(name: str) -> Projection:
    """Return the projection of that name; raises typer.BadParameter."""
    if name not in _BY_NAME:
        raise typer.BadParameter(f"There is no projection {name!r}. There are: {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def several(names: Sequence[str] | None, *, every: bool, verb: str) -> list[Projection]:
    """Return the named projections, each once, or all of them; raises typer.BadParameter."""
    if names and every:
        raise typer.BadParameter("Name projections or say --all, not both.")
    if every:
        return list(PROJECTIONS)
    if not names:
        raise typer.BadParameter(f"Name the projections to {verb}, or say --all. There are: {', '.join(_BY_NAME)}.")
    return [one(name) for name in dict.fromkeys(names)]
