"""What a replica says of itself: up to where it has replayed, and what its projections reflect there."""

from dataclasses import dataclass
from typing import Final

import asyncpg
import orjson

from app.connection_loss import CONNECTION_LOST
from app.queries.reader import Reader
from projections.engine.snapshot import Snapshot

#: Whatever keeps a server from answering; a host's name that can't be one is a ValueError.
FAILED: Final[tuple[type[Exception], ...]] = (*CONNECTION_LOST, asyncpg.PostgresError, ValueError)

# Never its pg_current_snapshot(): on a standby that leaves out which transactions are in progress.
_SEEN: Final = """
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END AS lsn,
    (SELECT json_object_agg(projection, snapshot::text) FROM checkpoint WHERE system_identifier = $1) AS reached
""".strip()

_GLANCE: Final = f"SELECT {_SEEN}"

_LOOK: Final = f"""
SELECT
    {_SEEN},
    system_identifier AS cluster,
    greatest(timeline_id, min_recovery_end_timeline) AS timeline
FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a replica has come: `lsn` is None when it is no standby, `reached` has the projections of `cluster`."""

    lsn: int | None
    reached: dict[str, Snapshot]


@dataclass(frozen=True, slots=True)
class Origin:
    """The history that a replica follows; the timeline is the old one until it is on the replica's disk."""

    cluster: int
    timeline: int


async def glance(reader: Reader, *, cluster: int) -> Seen:
    """Look how far a replica has come; what the same connection reads afterwards is that new, or newer."""
    row = await reader.fetchrow(_GLANCE, cluster)
    assert row is not None
    return _seen(row)


async def look(reader: Reader, *, cluster: int) -> tuple[Seen, Origin]:
    """Look how far a replica has come, and along which history."""
    row = await reader.fetchrow(_LOOK, cluster)
    assert row is not None
    return _seen(row), Origin(row["cluster"], row["timeline"])


def _seen(row: asyncpg.Record) -> Seen:
    said: dict[str, str] = orjson.loads(row["reached"] or "{}")
    return Seen(row["lsn"], {name: Snapshot.parse(text) for name, text in said.items()})
