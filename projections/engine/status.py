"""Status: how far each projection is behind, how its steps go, and what holds it back. Reads only; the CLI shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.fill import table_bytes
from projections.engine.locks import BUILDING, holder
from projections.engine.projection import Projection
from projections.engine.shadow import shadow_schemas

_STATUS = """
SELECT
    c.projection,
    c.version,
    c.system_identifier,
    c.status,
    c.error,
    c.failures,
    c.updated_at,
    c.step_events,
    c.step_seconds,
    c.built_at,
    c.build_seconds,
    v.verified_at,
    v.different,
    v.mended,
    (SELECT count(*) FROM parked_event k WHERE k.projection = c.projection) AS parked,
    coalesce(p.events, 0) AS events_behind,
    coalesce(extract(epoch FROM clock_timestamp() - p.oldest), 0)::float8 AS seconds_behind
FROM checkpoint c
LEFT JOIN verification v USING (projection)
LEFT JOIN LATERAL (
    SELECT count(*) AS events, min(e.at) AS oldest
    FROM event e
    WHERE e.tx >= pg_snapshot_xmin(c.snapshot)
      AND NOT pg_visible_in_snapshot(e.tx, c.snapshot)
) p ON true
WHERE c.projection = ANY ($1::text[])
"""

# What has a transaction id may have written events, that nobody sees before it ends.
_OLDEST = """
SELECT
    pid,
    usename AS username,
    application_name,
    coalesce(state, 'unknown') AS state,  -- as of other accounts' sessions, to whom it is not shown
    left(query, 200) AS query,
    coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8 AS seconds
FROM pg_stat_activity
WHERE backend_xid IS NOT NULL
  AND pid <> pg_backend_pid()
  AND datname = current_database()
ORDER BY xact_start
LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a projection stands: committed events it does not reflect, the age of the oldest, and how steps go.

    `state` is running, failing, paused, outdated (an earlier version, being stepped until it is rebuilt), newer (of a
    later release) or unbuilt.
    """

    projection: str
    state: str
    version: int
    events_behind: int = 0
    seconds_behind: float = 0.0
    parked: int = 0
    error: str | None = None
    failures: int = 0
    updated_at: datetime | None = None
    step_events: int = 0
    step_seconds: float = 0.0
    built_at: datetime | None = None
    build_seconds: float | None = None
    verified_at: datetime | None = None
    different: int | None = None
    mended: bool | None = None

    @property
    def seconds_left(self) -> float | None:
        """How long the backlog takes at the last step's rate; None where there is none to speak of."""
        if not self.events_behind or not self.step_events or not self.step_seconds:
            return None
        return self.events_behind * self.step_seconds / self.step_events


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """The oldest transaction that may hold events which nobody sees before it ends. It holds back no others."""

    pid: int
    username: str
    application_name: str
    state: str
    query: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """A rebuild under way, or interrupted when no process has it: what is written, and what the old tables take."""

    pid: int | None
    bytes: int
    expected_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole status."""

    projections: list[Status]
    oldest_transaction: OpenTransaction | None
    building: Building | None


async def read_status(connection: Connection, projections: Iterable[Projection]) -> Report:
    """Return the status of every projection, built or not."""
    by_name = {projection.name: projection for projection in projections}
    cluster = await system_identifier(connection)
    rows = {row["projection"]: dict(row) for row in await connection.fetch(_STATUS, list(by_name))}
    oldest = await connection.fetchrow(_OLDEST)
    return Report(
        projections=[_status(projection, rows.get(name), cluster) for name, projection in by_name.items()],
        oldest_transaction=OpenTransaction(**oldest) if oldest else None,
        building=await _building(connection, by_name.values()),
    )


def _status(projection: Projection, row: dict[str, object] | None, cluster: int) -> Status:
    if row is None or row.pop("system_identifier") != cluster:
        return Status(projection=projection.name, state="unbuilt", version=projection.version)
    state = str(row.pop("status"))
    version = int(str(row["version"]))
    if state == "running" and version != projection.version:
        state = "outdated" if version < projection.version else "newer"
    return Status(state=state, **row)  # type: ignore[arg-type]  # the columns are the fields


async def _building(connection: Connection, projections: Iterable[Projection]) -> Building | None:
    schemas = await shadow_schemas(connection)
    if not schemas:
        return None
    tables = [table for projection in projections for table in projection.tables]
    begun = {
        row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", schemas[-1])
    }
    home = await connection.fetchval("SELECT current_schema()")
    return Building(
        pid=await holder(connection, BUILDING),
        bytes=await table_bytes(connection, schemas[-1], tables),
        expected_bytes=await table_bytes(connection, home, [table for table in tables if table.name in begun]),
    )
