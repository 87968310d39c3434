"""What a worker does beside folding: builds what is new, verifies at night, prunes events, forgets what has expired."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import asyncpg

from app.commands.expired_sessions import forget_expired_sessions
from app.connection_loss import CONNECTION_LOST
from app.db import Pool, connect_building
from app.idempotency import forget_expired
from app.settings import Settings
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.projection import Projection
from projections.engine.rebuild import RebuildFailedError, rebuild
from projections.engine.releases import unbuilt
from projections.engine.retention import prune
from projections.engine.shadow import NotSwappableError
from projections.engine.verify import verify
from projections.progress_log import ProgressLog
from projections.registry import PROJECTIONS

log = logging.getLogger(__name__)

#: What may keep tables from being built for now.
BUILD_FAILED: Final[tuple[type[Exception], ...]] = (
    NotSwappableError,
    RebuildFailedError,
    asyncpg.PostgresError,
    *CONNECTION_LOST,
)
_VERIFY_FAILED: Final[tuple[type[Exception], ...]] = (UnverifiableError, asyncpg.PostgresError, *CONNECTION_LOST)
_DIFFERENCES_LOGGED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """The projector owns one; arq's schedule calls it."""

    config: Settings
    pool: Pool

    async def build(self) -> list[str]:
        """Build the projections that are new, have a new version or came from another cluster; return their names.

        Whoever folds goes on meanwhile. Raises what `rebuild` raises.
        """
        async with self.pool.acquire() as connection:
            missing = await unbuilt(connection, PROJECTIONS)
        if not missing:
            return []
        try:
            await self._rebuild(missing)
        except BUILD_FAILED:
            if len(missing) == 1:
                raise
            return await self._build_one_by_one(missing)
        return [projection.name for projection in missing]

    async def verify(self) -> int:
        """Compare every read table with its definition, and log what differs; return how many rows do.

        The results are kept as metrics.
        """
        different = 0
        for projection in PROJECTIONS:
            try:
                (verified,) = await verify(partial(connect_building, self.config), [projection])
            except _VERIFY_FAILED as error:
                log.warning("Not verified: %s", error)
                continue
            different += verified.different
            for difference in verified.differences[:_DIFFERENCES_LOGGED]:
                log.error("Not as its definition says, `inkfold projections verify --repair` mends it: %s", difference)
        return different

    async def _build_one_by_one(self, missing: Sequence[Projection]) -> list[str]:
        """Build those that can be built; raises what keeps the last of the others from it."""
        built, failure = [], None
        for projection in missing:
            try:
                await self._rebuild([projection])
            except BUILD_FAILED as error:
                log.error("Not built: %s: %s", projection.name, error)  # noqa: TRY400 - the sentence says it all
                failure = error
            else:
                built.append(projection.name)
        if failure and not built:
            raise failure
        return built

    async def _rebuild(self, projections: Sequence[Projection]) -> None:
        log.info("Building %s from the definitions.", ", ".join(projection.name for projection in projections))
        await rebuild(
            partial(connect_building, self.config),
            projections,
            limit=self.config.fold_events_per_step,
            sessions=self.config.rebuild_sessions,
            park=self.config.poison_events == "park",
            report=ProgressLog(log),
        )

    async def prune(self) -> int:
        """Drop old events that every projection has passed; return how many."""
        async with self.pool.acquire() as connection:
            return await prune(connection, older_than=timedelta(days=self.config.event_retention_days))

    async def forget_keys(self) -> int:
        """Drop idempotency keys that have expired; return how many."""
        return await forget_expired(self.pool)

    async def forget_sessions(self) -> int:
        """Drop refresh tokens that have expired; return how many."""
        return await forget_expired_sessions(self.pool)
