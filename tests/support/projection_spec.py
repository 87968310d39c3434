"""What every projection owes: these rows and no others, the same when folded again, the same when built anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from projections.engine.checkpoint import Connect, Connection
from projections.engine.comparison import Difference
from projections.engine.projection import Projection
from projections.engine.verify import verify
from projections.projector import Projector
from projections.registry import PROJECTIONS

Row = Mapping[str, Any]
Dump = dict[str, list[str]]


async def assert_table(sql: Connection, table: str, rows: Sequence[Row]) -> None:
    """Hold that the table has these rows, with all their columns, and no others."""
    found = [dict(row) for row in await sql.fetch(f"SELECT * FROM {table}")]
    wanted = [dict(row) for row in rows]
    missing = [row for row in wanted if row not in found]
    extra = [row for row in found if row not in wanted]
    assert (missing, extra) == ([], []), f"{table}: missing {missing}, extra {extra}"
    assert len(found) == len(wanted)


async def dump(sql: Connection, *, with_row_versions: bool = False) -> Dump:
    """Return every read table's rows as text; with row versions, an update that changes nothing shows too."""
    columns = "t.xmin, t.ctid, t.*" if with_row_versions else "t.*"
    return {
        table.name: sorted(str(row[0]) for row in await sql.fetch(f"SELECT ROW ({columns})::text FROM {table.name} t"))
        for projection in PROJECTIONS
        for table in projection.tables
    }


async def differences(connect: Connect, projections: Sequence[Projection] = PROJECTIONS) -> list[Difference]:
    """Fold what is pending and return where the read tables differ from their definitions, at one snapshot."""
    return [difference for each in await verify(connect, projections) for difference in each.differences]


@dataclass(frozen=True, slots=True)
class ReadSide:
    """The read tables, seen after a fold. `connect` opens the engine's connections."""

    sql: Connection
    connect: Connect
    projector: Projector

    async def shows(self, table: str, *rows: Row) -> None:
        """Fold, and hold that the table shows these rows, exactly once, as its definition says."""
        await self.projector.fold()
        await assert_table(self.sql, table, rows)
        await self.folds_nothing_again()
        await self.is_exact()

    async def folds(self, events: int) -> None:
        """Hold that this many events fold, once."""
        assert await self.projector.fold() == events
        await self.folds_nothing_again()

    async def folds_nothing_again(self) -> None:
        """Hold that another fold finds no event and touches no row."""
        before = await dump(self.sql, with_row_versions=True)
        assert await self.projector.fold() == 0
        assert await dump(self.sql, with_row_versions=True) == before

    async def is_exact(self) -> None:
        """Hold that every read table equals its definition."""
        assert await differences(self.connect) == []
