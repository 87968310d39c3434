"""Verify: compare read tables with their definitions at one snapshot, while everything goes on.

The CLI, the nightly job and the tests call it. Two sessions see one snapshot (`projections.engine.one_snapshot`); what
one reads through the definitions is compared with what the other reads in the tables (`projections.engine.comparison`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from projections.engine.checkpoint import Connect
from projections.engine.comparison import Compared, Difference, compare
from projections.engine.one_snapshot import Sessions, at_one_snapshot, opened_sessions
from projections.engine.projection import Projection
from projections.engine.report import QUIET, Report
from projections.engine.snapshot import Snapshot

_RECORD = """
INSERT INTO verification AS v (projection, verified_at, seconds, compared, different, mended)
VALUES ($1, clock_timestamp(), $2, $3, $4, false)
ON CONFLICT (projection) DO UPDATE
SET verified_at = excluded.verified_at,
    seconds = excluded.seconds,
    compared = excluded.compared,
    different = excluded.different,
    mended = false
RETURNING verified_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found of one projection, whose tables stood at `snapshot`. Of a `sample`, most rows were left out."""

    projection: str
    snapshot: Snapshot
    built_at: datetime | None
    verified_at: datetime | None
    sample: bool
    tables: list[Compared]
    seconds: float

    @property
    def differences(self) -> list[Difference]:
        """Rows that are not as their definition says, of each table not more than can be looked at."""
        return [difference for table in self.tables for difference in table.differences]

    @property
    def different(self) -> int:
        """How many rows are not as their definition says; at least so many, where not all tables are exhausted."""
        return sum(len(table.keys) for table in self.tables)

    @property
    def rows(self) -> int:
        """How many rows were compared."""
        return sum(table.rows for table in self.tables)


async def verify(
    connect: Connect, projections: Sequence[Projection], *, sample: bool = False, report: Report = QUIET
) -> list[Verified]:
    """Compare each projection's tables with their definitions at one snapshot; with `sample`, some 1 % of the rows.

    Commands, queries and steps go on. Raises UnverifiableError for a projection that was not built, is paused or fails.
    """
    verified = []
    async with opened_sessions(connect) as sessions:
        for projection in projections:
            report.begin(f"Verifying {projection.name}", len(projection.tables), "tables")
            verified.append(await _verify(sessions, projection, sample=sample, report=report))
    return verified


async def _verify(sessions: Sessions, projection: Projection, *, sample: bool, report: Report) -> Verified:
    began = time.monotonic()
    tables: list[Compared] = []
    async with at_one_snapshot(sessions, projection) as (snapshot, built_at):
        for table in projection.tables:
            tables.append(await compare(table, sessions.defined, sessions.shown, sample=sample))
            report.reach(len(tables))
    seconds = time.monotonic() - began
    verified = Verified(
        projection=projection.name,
        snapshot=snapshot,
        built_at=built_at,
        verified_at=None,
        sample=sample,
        tables=tables,
        seconds=seconds,
    )
    if sample:
        return verified
    at = await sessions.shown.fetchval(_RECORD, projection.name, seconds, verified.rows, verified.different)
    return replace(verified, verified_at=at)
