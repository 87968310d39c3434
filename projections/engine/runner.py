"""The runner: steps projections until they reflect everything committed, and deals with those that cannot go on.

A worker owns one per process and calls `catch_up`, one call at a time. It keeps a connection and no other state.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from projections.engine.checkpoint import Connect, Connection, pause, record_failure, system_identifier
from projections.engine.connections import close
from projections.engine.pace import Pace
from projections.engine.poison import PATIENCE, TooManyParkedError, is_poison
from projections.engine.projection import Projection
from projections.engine.step import step
from projections.engine.step_events import prepare_session
from projections.engine.step_result import RAISE, OnFailure, StepFailedError, StepResult

log = logging.getLogger(__name__)

# The plans of a step's own statements don't depend on their parameters, and to plan takes longer than to run them.
_PLAN_ONCE: Final = "SET plan_cache_mode = force_generic_plan"

OnStep = Callable[[Connection, StepResult], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Runner:
    """Folds `projections` over a connection that `connect` opens, `limit` events in a step at most.

    A step of a backlog takes about `seconds`, and longer when all have a long one; a turn ends after `turn_seconds`.
    With `park`, events that a fold fails at for good are set aside; without, their projection is paused.
    Tells `on_step` of each step that moved a projection.
    """

    connect: Connect
    projections: Sequence[Projection]
    limit: int
    seconds: float = 0.5
    turn_seconds: float = 30
    park: bool = True
    on_step: OnStep | None = None
    _connection: "Connection | None" = field(default=None, init=False)
    _cluster: int = field(default=0, init=False)
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(most=self.limit, seconds=self.seconds)

    async def catch_up(self) -> int:
        """Step until nothing is left to fold, or the turn is over; return how many events the steps had.

        Connection errors reach the caller, and the next call connects anew. A fold that fails does not: it is
        recorded, and its projection rests.
        """
        folded = 0
        until = time.monotonic() + self.turn_seconds
        connection = await self._session()
        try:
            while True:
                result = await self._paced_step(connection)
                folded += sum(result.events.values())
                if result.snapshots and self.on_step:
                    await self.on_step(connection, result)
                if not result.more or time.monotonic() > until:
                    return folded
        except BaseException:
            connection.terminate()  # broken, or holding locks that it has not been told of
            raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await close(self._connection)
            self._connection = None

    async def _session(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await self.connect()
            try:
                await prepare_session(connection)
                await connection.execute(_PLAN_ONCE)
                self._cluster = await system_identifier(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _paced_step(self, connection: Connection) -> StepResult:
        began = time.monotonic()
        result = await self._step(connection)
        if result.more:
            self._pace.learn(time.monotonic() - began, awaited=result.apart)
        else:
            self._pace.arrive()
        return result

    async def _step(self, connection: Connection) -> StepResult:
        result = StepResult()
        try:
            return await self._try_step(connection, RAISE, result)
        except StepFailedError as failure:
            if isinstance(failure.__cause__, asyncpg.SerializationError):
                return result
            log.warning("%s Folding each projection by itself.", failure)
        except (asyncpg.SerializationError, asyncpg.LockNotAvailableError):
            return result  # another worker is at it
        await self._try_step(connection, OnFailure(isolate=True, park=self.park), result)
        for name, error in result.failed.items():
            await self._record(connection, name, error)
        return result

    async def _try_step(self, connection: Connection, on_failure: OnFailure, result: StepResult) -> StepResult:
        return await step(
            connection,
            self.projections,
            system_identifier=self._cluster,
            limit=self._pace.limit,
            on_failure=on_failure,
            result=result,
        )

    async def _record(self, connection: Connection, name: str, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}".rstrip(".")
        failures, rest = await record_failure(connection, name, said)
        if isinstance(error, TooManyParkedError) or (not self.park and failures > PATIENCE and is_poison(error)):
            advice = f"When that is mended: inkfold projections resume {name}"
            await pause(connection, name, error=f"{said}. {advice}")
            log.error("Projection %s is paused. %s. %s", name, said, advice)
        else:
            seconds = rest.total_seconds()
            log.error("Projection %s failed %d times, next try in %.1f s: %s", name, failures, seconds, error)
