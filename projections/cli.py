"""`inkfold projections …`: what the projections reflect, and whether that is true."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import asyncpg
import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from app.reachability import connect
from app.settings import settings
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.projection import Projection
from projections.engine.status import Status, read_status
from projections.engine.step import prepare_session
from projections.engine.verify import Difference, verify
from projections.registry import PROJECTIONS

app = typer.Typer(no_args_is_help=True, help="See and check the read tables.")

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str] | None, typer.Argument(help="Projections; all of them when none is named.")]
Repair = Annotated[bool, typer.Option("--repair", help="Mend the rows that differ, in the same snapshot.")]


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say how far each projection is behind."""
    rows = asyncio.run(_connected(read_status))
    if as_json:
        typer.echo(orjson.dumps(rows).decode())
    else:
        Console().print(_status_table(rows))
        for row in rows:
            if row.error:
                typer.echo(f"{row.projection}: {row.error}")


@app.command(name="verify")
def verify_command(names: Names = None, *, repair: Repair = False, as_json: AsJson = False) -> None:
    """Compare read tables with their definitions at one snapshot, while everything runs; exit 1 if any differs."""
    chosen = _chosen(names or [])

    async def run(connection: Connection) -> list[Difference]:
        await prepare_session(connection)
        cluster = await system_identifier(connection)
        return await verify(connection, chosen, system_identifier=cluster, repair=repair)

    try:
        differences = asyncio.run(_connected(run))
    except LookupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    _report(differences, tables=[table.name for each in chosen for table in each.tables], as_json=as_json)
    if differences and repair and not as_json:
        typer.echo("Mended. Run verify again to see for yourself.")
    raise typer.Exit(1 if differences and not repair else 0)


def _chosen(names: Sequence[str]) -> list[Projection]:
    known = {projection.name: projection for projection in PROJECTIONS}
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"There is no projection {name!r}. There are: {', '.join(known)}.")
    return [known[name] for name in names] or list(PROJECTIONS)


async def _connected(work: Callable[[Connection], Awaitable[T]]) -> T:
    connection = await connect(settings().database_url, server_settings={"TimeZone": "UTC", "jit": "off"})
    try:
        return await work(connection)
    except asyncpg.UndefinedTableError as error:
        typer.echo("This database is not up to date. Run `inkfold migrate` first.", err=True)
        raise typer.Exit(1) from error
    finally:
        await connection.close()


def _report(differences: Sequence[Difference], *, tables: Sequence[str], as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"tables": tables, "differences": differences}).decode())
        return
    for difference in differences:
        typer.echo(f"{difference.table} {difference.key}")
        typer.echo(f"  expected {difference.expected or 'no such row'}")
        typer.echo(f"  found    {difference.found or 'no such row'}")
    typer.echo(f"{len(tables)} read tables compared with their definitions: {len(differences)} rows differ.")


def _status_table(rows: Sequence[Status]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("projection", no_wrap=True)
    for heading in ("version", "status", "events\nbehind", "seconds\nbehind"):
        table.add_column(heading)
    table.add_column("last step", no_wrap=True)
    for row in rows:
        table.add_row(
            row.projection,
            str(row.version),
            row.status,
            str(row.events_behind),
            f"{row.seconds_behind:.3f}",
            f"{row.updated_at:%m-%d %H:%M}",
        )
    return table
