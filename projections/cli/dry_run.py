"""`rebuild --dry-run`: which tables would be built, how large they are, and how long it may take. Changes nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from app.settings import settings
from projections.cli.figures import count, some, took
from projections.cli.running import connected, print_json, run
from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection
from projections.engine.shadow import require_swappable
from projections.engine.status import Building, read_status
from projections.registry import PROJECTIONS

#: What a session is taken to build where no earlier build tells.
_GUESSED_BYTES_PER_SECOND: Final = 10_000_000
#: A build that seems to have been faster than this was of smaller tables.
_CREDIBLE_BYTES_PER_SECOND: Final = 40_000_000

_TABLE = """
SELECT
    CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows,
    pg_total_relation_size(c.oid) AS bytes
FROM pg_class c
WHERE c.oid = $1::text::regclass
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A table that would be built. `rows` is PostgreSQL's estimate, None before it has one; bytes are with indexes."""

    projection: str
    table: str
    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rebuild would do. `build_seconds` is what each projection took last, with one session."""

    tables: list[Planned]
    build_seconds: dict[str, float | None]
    sessions: int
    building: Building | None

    @property
    def rows(self) -> int:
        """How many rows there would be, about."""
        return sum(table.rows or 0 for table in self.tables)

    @property
    def bytes(self) -> int:
        """What the tables take on disk, and take once more until they are swapped."""
        return sum(table.bytes for table in self.tables)

    @property
    def bytes_per_second(self) -> dict[str, float]:
        """How fast each projection was built, with one session, unless it must have grown a lot since."""
        sizes: dict[str, int] = {}
        for table in self.tables:
            sizes[table.projection] = sizes.get(table.projection, 0) + table.bytes
        rates = {name: sizes[name] / seconds for name, seconds in self.build_seconds.items() if seconds}
        return {name: rate for name, rate in rates.items() if rate <= _CREDIBLE_BYTES_PER_SECOND}

    @property
    def guessed(self) -> bool:
        """Whether some of the estimate doesn't rest on an earlier build."""
        return len(self.bytes_per_second) < len(self.build_seconds)

    @property
    def estimated_seconds(self) -> float:
        """How long it may take, which is no less than its largest table takes."""
        rates = self.bytes_per_second
        each = [table.bytes / rates.get(table.projection, _GUESSED_BYTES_PER_SECOND) for table in self.tables]
        return max(*each, sum(each) / self.sessions)


def show_plan(projections: Sequence[Projection], *, sessions: int | None, as_json: bool) -> None:
    """Print what a rebuild would do."""

    async def work() -> Plan:
        async with connected() as connection:
            return await _plan(connection, projections, sessions or settings().rebuild_sessions)

    plan = run(work())
    if as_json:
        names = ("rows", "bytes", "guessed", "estimated_seconds")
        print_json(asdict(plan) | {name: getattr(plan, name) for name in names})
        return
    Console().print(_table(plan))
    for sentence in _sentences(plan):
        typer.echo(sentence)


async def _plan(connection: Connection, projections: Sequence[Projection], sessions: int) -> Plan:
    home = await connection.fetchval("SELECT current_schema()")
    tables = []
    for projection in projections:
        await require_swappable(connection, home, projection.tables)
        for table in projection.tables:
            row = await connection.fetchrow(_TABLE, table.name)
            assert row is not None
            tables.append(Planned(projection=projection.name, table=table.name, **row))
    report = await read_status(connection, PROJECTIONS)
    chosen = {projection.name for projection in projections}
    return Plan(
        tables=tables,
        build_seconds={each.projection: each.build_seconds for each in report.projections if each.projection in chosen},
        sessions=sessions,
        building=report.building,
    )


def _table(plan: Plan) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("projection", "table"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows, about", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in plan.tables:
        rows = "\N{EN DASH}" if each.rows is None else count(each.rows)
        table.add_row(each.projection, each.table, rows, decimal(each.bytes))
    return table


def _sentences(plan: Plan) -> list[str]:
    last = ", ".join(f"{name} {took(seconds)}" for name, seconds in plan.build_seconds.items() if seconds is not None)
    how = "a guess, since not all was built at this size before" if plan.guessed else "as the last builds went"
    said = [
        f"It would build {some(len(plan.tables), 'table')}, and need {decimal(plan.bytes)} more on disk meanwhile.",
        f"The last builds took, with one session: {last or 'none is known'}.",
        f"This one may take {took(plan.estimated_seconds)} over {some(plan.sessions, 'session')} ({how}).",
    ]
    if plan.building and plan.building.pid is not None:
        said.append(f"It would not begin now: another session (pid {plan.building.pid}) is rebuilding.")
    elif plan.building:
        said.append(
            f"It would go on with what an interrupted rebuild has left of these ({decimal(plan.building.bytes)})."
        )
    return [*said, "Nothing was changed."]
