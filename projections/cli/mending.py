"""Mending what a verification found: row by row, or by a rebuild where too much differs."""

from dataclasses import dataclass
from typing import Final

import typer

from projections.cli.figures import some
from projections.cli.rebuild import rebuild_with
from projections.cli.running import connected
from projections.engine.checkpoint import Connect
from projections.engine.parked import list_parked
from projections.engine.projection import Projection
from projections.engine.rebuild import RebuildFailedError, RebuildRunningError
from projections.engine.repair import EventParkedMeanwhileError, TooManyDifferencesError, UnrepairableError, repair
from projections.engine.report import Report
from projections.engine.shadow import NotSwappableError
from projections.engine.verify import Verified, verify

#: What may keep rows from being mended; each says why and what to do.
UNMENDED: Final = (UnrepairableError, RebuildRunningError, RebuildFailedError, NotSwappableError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What was done about a projection: rows mended, or all of it rebuilt, and parked events settled by that."""

    rows: int
    settled: int
    rebuilt: bool

    @property
    def sentence(self) -> str:
        """It in words."""
        done = "Rebuilt it whole" if self.rebuilt else f"Mended {some(self.rows, 'row')}"
        settled = f", which settles {some(self.settled, 'parked event')}" if self.settled else ""
        return f"{done}{settled}."


async def mend(connect: Connect, projection: Projection, verified: Verified, *, report: Report) -> Mended | None:
    """Mend what differs, and settle the parked events that the definitions have; None where there is neither.

    Where an event was parked after the verification, it verifies once more. A rebuild says in `report` how far it is.
    Raises what the engine raises.
    """
    parked = await _parked(projection)
    if not verified.differences and not parked:
        return None
    try:
        rows, rebuilt = await repair(connect, projection, verified), False
    except EventParkedMeanwhileError:
        typer.echo(f"Something of {projection.name} changed while it was compared. Verifying again.", err=True)
        again = (await verify(connect, [projection]))[0]
        rows, rebuilt = await repair(connect, projection, again), False
    except TooManyDifferencesError:
        typer.echo(f"More of {projection.name} differs than can be mended row by row: rebuilding it.", err=True)
        await rebuild_with(connect, [projection], report=report)
        left = (await verify(connect, [projection]))[0].differences
        if left:
            raise UnrepairableError(
                f"{some(len(left), 'row')} of {projection.name} differ even when it is built anew: "
                "its fold does not do what its definition says."
            ) from None
        rows, rebuilt = verified.different, True
    return Mended(rows=rows, settled=parked - await _parked(projection), rebuilt=rebuilt)


async def _parked(projection: Projection) -> int:
    async with connected() as connection:
        return len(await list_parked(connection, projection.name))
