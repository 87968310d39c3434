"""`rebuild`: builds tables anew with a progress bar, and says what an interrupted run keeps."""

import time
from collections.abc import Sequence
from typing import Any

import typer

from app.settings import settings
from projections.cli.figures import some
from projections.cli.progress import progress
from projections.cli.running import building, connected, print_json, renew_top_posts, run
from projections.engine.checkpoint import Connect
from projections.engine.locks import BUILDING, holder, lock
from projections.engine.projection import Projection
from projections.engine.rebuild import RebuildRunningError, rebuild
from projections.engine.report import Report
from projections.engine.shadow import shadow_schemas

_AFTERWARDS = (
    "Queries go on with the tables there were. What is filled is kept: the same command goes on from there, and "
    "`inkfold projections rebuild --discard` drops it."
)

# A rebuild's own is the worker's role's; what an older release has left may be the account's that migrates.
_AS_OWNER = """
SELECT set_config('role', rolname, false)
FROM pg_namespace n
JOIN pg_roles r ON r.oid = n.nspowner
WHERE nspname = $1
"""
_ROWS = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = $1::text::regclass"


def rebuild_tables(projections: Sequence[Projection], *, sessions: int | None, as_json: bool) -> None:
    """Rebuild, and print what was built."""

    async def work() -> dict[str, Any]:
        connect, began = await building(), time.monotonic()
        with progress() as report:
            await rebuild_with(connect, projections, report=report, sessions=sessions)
        seconds = time.monotonic() - began
        await renew_top_posts()
        return {"projections": await _built(projections), "seconds": seconds}

    built = run(work(), afterwards=_AFTERWARDS)
    if as_json:
        print_json(built)
        return
    rows = {table["table"]: table["rows"] for each in built["projections"] for table in each["tables"]}
    for table, number in rows.items():
        typer.echo(f"{table}: about {some(number, 'row')}")
    typer.echo(
        f"Rebuilt {some(len(rows), 'table')}, about {some(sum(rows.values()), 'row')}, in {built['seconds']:.1f} s."
    )


async def rebuild_with(
    connect: Connect, projections: Sequence[Projection], *, report: Report, sessions: int | None = None
) -> None:
    """Rebuild as the settings say; raises what the engine raises."""
    config = settings()
    await rebuild(
        connect,
        projections,
        limit=config.fold_events_per_step,
        sessions=sessions or config.rebuild_sessions,
        park=config.poison_events == "park",
        over_later=True,
        report=report,
    )


async def _built(projections: Sequence[Projection]) -> list[dict[str, Any]]:
    async with connected() as connection:
        return [
            {
                "projection": projection.name,
                "version": projection.version,
                "tables": [
                    {"table": table.name, "rows": await connection.fetchval(_ROWS, table.name)}
                    for table in projection.tables
                ],
            }
            for projection in projections
        ]


def discard_interrupted(*, as_json: bool) -> None:
    """Drop what an interrupted rebuild has left, unless one is running."""

    async def work() -> list[str]:
        async with connected(role=None) as connection:
            if not await lock(connection, [BUILDING]):
                raise RebuildRunningError(
                    f"A rebuild is running (pid {await holder(connection, BUILDING)}); nothing was dropped. "
                    "End it first: Ctrl-C where it runs."
                )
            left = await shadow_schemas(connection)
            for schema in left:
                await connection.execute(_AS_OWNER, schema)
                await connection.execute(f"DROP SCHEMA {schema} CASCADE")
            return left

    dropped = bool(run(work()))
    if as_json:
        print_json({"discarded": dropped})
    else:
        typer.echo("Dropped what an interrupted rebuild had left." if dropped else "No rebuild has left anything.")
