"""The runner: steps projections until they reflect everything committed, and deals with those that cannot go on.

A worker owns one per process and calls `catch_up`, one call at a time. It keeps a connection and no other state.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from projections.engine.checkpoint import Connection, read_checkpoints, record_failure, system_identifier
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild
from projections.engine.step import StepFailedError, StepResult, prepare_session, step

log = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[Connection]]
OnStep = Callable[[Connection, StepResult], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Runner:
    """Folds `projections`, about `limit` events in a step, over a connection that `connect` opens.

    Tells `on_step` of each step that moved a projection.
    """

    connect: Connect
    projections: Sequence[Projection]
    limit: int
    on_step: OnStep | None = None
    _connection: "Connection | None" = field(default=None, init=False)
    _cluster: int = field(default=0, init=False)

    async def build_missing(self) -> list[str]:
        """Build the projections that have no checkpoint which could be continued; return their names."""
        connection = await self._session()
        standing = await read_checkpoints(connection, [projection.name for projection in self.projections], limit=1)
        fitting = {
            checkpoint.projection
            for projection in self.projections
            for checkpoint in standing.checkpoints
            if checkpoint.projection == projection.name and checkpoint.fits(projection, self._cluster)
        }
        missing = [projection for projection in self.projections if projection.name not in fitting]
        if missing:
            log.info("Building %s from the definitions.", ", ".join(projection.name for projection in missing))
            await rebuild(connection, missing, system_identifier=self._cluster)
        return [projection.name for projection in missing]

    async def catch_up(self) -> int:
        """Step until nothing is left to fold; return how many events the steps had.

        Connection errors reach the caller, and the next call connects anew. A fold that fails does not: it is
        recorded, and its projection rests.
        """
        folded = 0
        connection = await self._session()
        try:
            while True:
                result = await self._step(connection)
                folded += sum(result.events.values())
                if result.snapshots and self.on_step:
                    await self.on_step(connection, result)
                if not result.more:
                    return folded
        except BaseException:
            connection.terminate()  # broken, or holding locks that it has not been told of
            raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _session(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await self.connect()
            try:
                await prepare_session(connection)
                self._cluster = await system_identifier(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _step(self, connection: Connection) -> StepResult:
        try:
            return await step(connection, self.projections, system_identifier=self._cluster, limit=self.limit)
        except StepFailedError as failure:
            if isinstance(failure.__cause__, asyncpg.SerializationError):
                return StepResult()
            log.warning("%s Folding each projection by itself.", failure)
        except (asyncpg.SerializationError, asyncpg.LockNotAvailableError):
            return StepResult()  # another worker is at it
        result = await step(
            connection, self.projections, system_identifier=self._cluster, limit=self.limit, isolate=True
        )
        for name, error in result.failed.items():
            failures, rest = await record_failure(connection, name, f"{type(error).__name__}: {error}")
            seconds = rest.total_seconds()
            log.error("Projection %s failed %d times, next try in %.1f s: %s", name, failures, seconds, error)
        return result
