"""Gauges of the projections, read from the database whenever /metrics is asked for."""

import logging
import time
from typing import Final

import asyncpg
from prometheus_client import CollectorRegistry, Gauge

from app.api.operations.health import Standing, standings
from app.errors import InkfoldError
from app.queries.reader import Reader

log = logging.getLogger(__name__)

_STATES: Final = ("running", "paused", "failing")

_VERIFICATIONS: Final = """
SELECT projection, extract(epoch FROM verified_at)::float8 AS verified_at, compared, different, mended
FROM verification
"""


class ProjectionMetrics:
    """One gauge per thing to know; each has a value per projection."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"inkfold_projection_{name}", says, ("projection", *labels), registry=registry)

        self._behind = gauge("behind", "1 while something is committed that the projection does not reflect yet.")
        self._seconds_behind = gauge(
            "seconds_behind",
            "Time since the oldest thing happened that the projection does not reflect yet; 0 when not behind.",
        )
        self._since_step = gauge(
            "seconds_since_step",
            "Time since the projection last moved; it moves only when there is something to fold.",
        )
        self._state = gauge("state", "1 for the state that the projection is in.", "state")
        self._parked = gauge(
            "parked_events", "Events that the projection's fold could not take and that were set aside."
        )
        self._verified_at = gauge("verified_timestamp_seconds", "When the projection was last verified.")
        self._compared = gauge("verified_rows", "Rows that the last verification compared.")
        self._different = gauge(
            "verified_rows_different", "Rows that the last verification found not to be as their definition says."
        )
        self._mended = gauge("verified_mended", "1 when what the last verification found has been mended.")

    async def look(self, reader: Reader) -> None:
        """Bring the gauges up to date; without PostgreSQL, they go away."""
        for gauge in vars(self).values():
            gauge.clear()
        try:
            found, verifications = await standings(reader), await reader.fetch(_VERIFICATIONS)
        except (InkfoldError, asyncpg.PostgresError, OSError) as error:
            log.warning("No metrics of the projections: %s", error)
            return
        for standing in found:
            self._set_standing(standing)
        for verification in verifications:
            self._set_verification(verification)

    def _set_standing(self, standing: Standing) -> None:
        name = standing.name
        self._behind.labels(name).set(standing.behind)
        self._seconds_behind.labels(name).set(standing.seconds_behind)
        self._since_step.labels(name).set(max(0.0, time.time() - standing.updated_at.timestamp()))
        self._parked.labels(name).set(standing.parked)
        for state in _STATES:
            self._state.labels(name, state).set(standing.status == state)

    def _set_verification(self, verification: "asyncpg.Record") -> None:
        name = verification["projection"]
        self._verified_at.labels(name).set(verification["verified_at"])
        self._compared.labels(name).set(verification["compared"])
        self._different.labels(name).set(verification["different"])
        self._mended.labels(name).set(verification["mended"])
