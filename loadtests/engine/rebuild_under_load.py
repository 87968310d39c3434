"""How long a rebuild of all projections takes beside Locust, and how long the bare definitions do.

`python -m loadtests.engine.rebuild_under_load`, on a running system. The bare way, in the same run: CREATE TABLE AS of
each definition, the indexes of its read table and ANALYZE, one after another over one connection like the rebuild's.
Its account must be a superuser, as that of `inkfold up` is: each measurement begins with a checkpoint.
"""

import argparse
import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from app.db import connect_building
from app.embedded.environment import join_running_up
from app.settings import Settings, settings
from loadtests.engine.display import OUT
from loadtests.engine.load import Load, load, now
from projections.cli.progress import progress
from projections.cli.rebuild import rebuild_with
from projections.cli.running import renew_top_posts
from projections.engine.checkpoint import Connection
from projections.engine.connections import opened
from projections.engine.projection import ReadTable
from projections.engine.report import Report
from projections.registry import PROJECTIONS

_SCHEMA: Final = "bare_definitions"

_INDEXES: Final = """
SELECT replace(
    pg_get_indexdef(i.indexrelid),
    format(' ON %I.%I ', n.nspname, c.relname),
    format(' ON %I.%I ', $2::text, c.relname)
) AS statement
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $1::text::regclass
ORDER BY i.indexrelid
"""


@dataclass(frozen=True, slots=True)
class Span:
    """When something began and ended."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(slots=True)
class Runs:
    """What was measured."""

    quiet: list[Span] = field(default_factory=list)
    bare: list[Span] = field(default_factory=list)
    analyzing: float = 0.0
    rebuilt: list[Span] = field(default_factory=list)


async def measure(config: Settings, runs: Runs, *, rounds: int, sessions: int, settle: float, shown: Report) -> None:
    """Build the bare definitions and rebuild, `rounds` times, the one that begins changing each time."""
    began = now()
    shown.begin("Only the load", None, "")
    await asyncio.sleep(settle)
    runs.quiet.append(Span(began, now()))
    for turn in range(rounds):
        for bare in (True, False) if turn % 2 == 0 else (False, True):
            async with opened(partial(connect_building, config)) as connection:
                await connection.execute("CHECKPOINT")
                if bare:
                    await _build_bare(connection, runs, shown)
            if not bare:
                began = now()
                await rebuild_with(partial(connect_building, config), PROJECTIONS, report=shown, sessions=sessions)
                await renew_top_posts()
                runs.rebuilt.append(Span(began, now()))


async def _build_bare(connection: Connection, runs: Runs, shown: Report) -> None:
    tables = [table for projection in PROJECTIONS for table in projection.tables]
    shown.begin("Bare definitions", len(tables), "tables")
    await connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
    await connection.execute(f"CREATE SCHEMA {_SCHEMA}")
    try:
        began = now()
        for done, table in enumerate(tables, start=1):
            runs.analyzing += await _build_one(connection, table)
            shown.reach(done)
        runs.bare.append(Span(began, now()))
    finally:
        await connection.execute(f"DROP SCHEMA {_SCHEMA} CASCADE")


async def _build_one(connection: Connection, table: ReadTable) -> float:
    """Build one table; return how many seconds of it ANALYZE took."""
    indexes = await connection.fetch(_INDEXES, table.name, _SCHEMA)
    await connection.execute(f"CREATE TABLE {_SCHEMA}.{table.name} AS {table.definition}")
    for (statement,) in indexes:
        await connection.execute(statement)
    began = now()
    await connection.execute(f"ANALYZE {_SCHEMA}.{table.name}")
    return now() - began


def report(runs: Runs, found: Load, *, users: int, sessions: int) -> None:
    """Print the times and what the people at the API noticed."""
    bare, rebuilt = (sum(span.seconds for span in spans) / len(spans) for spans in (runs.bare, runs.rebuilt))
    without = bare - runs.analyzing / len(runs.bare)
    OUT.print(f"{users} people of Locust read and write meanwhile.")
    OUT.print(f"bare definitions, their indexes and ANALYZE, over one session: {_each(runs.bare)}")
    OUT.print(f"rebuild of all projections, over {sessions} sessions: {_each(runs.rebuilt)}")
    OUT.print(f"ratio: {rebuilt / bare:.2f} ({rebuilt / without:.2f} to the bare ones without ANALYZE)")
    for label, spans in (
        ("only the load", runs.quiet),
        ("during the bare ones", runs.bare),
        ("during the rebuild", runs.rebuilt),
    ):
        for span in spans:
            OUT.print(f"{label}: {found.during(span.began, span.ended)}")


def _each(spans: list[Span]) -> str:
    return ", ".join(f"{span.seconds:.1f} s" for span in spans)


async def main() -> None:
    """Measure the system that runs on this machine."""
    config = settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=1, help="how often both are measured, in alternating order")
    parser.add_argument(
        "--sessions", type=int, default=config.rebuild_sessions, help="tables the rebuild fills at once"
    )
    parser.add_argument("--settle", type=float, default=10, help="seconds of the load alone, first")
    arguments = parser.parse_args()
    runs = Runs()
    async with load(arguments.users) as found:
        with progress() as shown:
            await measure(
                config,
                runs,
                rounds=arguments.rounds,
                sessions=arguments.sessions,
                settle=arguments.settle,
                shown=shown,
            )
    report(runs, found, users=arguments.users, sessions=arguments.sessions)


if __name__ == "__main__":
    join_running_up()
    asyncio.run(main())
