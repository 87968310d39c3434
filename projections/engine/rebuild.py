"""Rebuild: fill new tables at one snapshot beside the old ones, fold what happens meanwhile, and swap them in.

The worker calls it for projections that are new, have a new version or came from another cluster; the CLI when asked.
Readers see the old tables until the swap, and the new ones after it; steps of the old ones go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from projections.engine.adoption import adopt
from projections.engine.checkpoint import (
    Connect,
    move_checkpoints,
    read_checkpoints,
    system_identifier,
)
from projections.engine.connections import lose_locks_when_silent, opened
from projections.engine.fill import Filling
from projections.engine.locks import BUILDING, holder, holding, lock
from projections.engine.pace import Pace
from projections.engine.plans import renew_plans
from projections.engine.projection import Projection
from projections.engine.releases import require_present_release
from projections.engine.report import QUIET, Report
from projections.engine.shadow import Shadow, require_swappable
from projections.engine.step import Step
from projections.engine.step_events import prepare_session
from projections.engine.step_result import OnFailure, StepFailedError
from projections.engine.swap import Swap

_STOPPED_SECONDS: Final = 2
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 2.0
_PATIENT_SECONDS: Final = 0.5


class RebuildRunningError(Exception):
    """Another session is rebuilding, or what an interrupted rebuild has left is in use."""


class RebuildFailedError(Exception):
    """A fold fails on the new tables; the old ones are as they were."""


async def rebuild(
    connect: Connect,
    projections: Sequence[Projection],
    *,
    limit: int = 20_000,
    sessions: int = 2,
    park: bool = True,
    over_later: bool = False,
    report: Report = QUIET,
) -> None:
    """Build the projections' tables anew and swap them in; interrupted, what is filled is kept for the next call.

    Takes `sessions` further connections while it fills. With `over_later`, tables of a later release go too, as after
    that was taken back. Raises RebuildRunningError, NotSwappableError, and
    RebuildFailedError where a fold fails on the new tables (with `park`, only for what is not an event's fault).
    """
    async with opened(connect) as connection:
        await lose_locks_when_silent(connection)
        if not await lock(connection, [BUILDING]):
            pid = await holder(connection, BUILDING)
            raise RebuildRunningError(
                f"Another session{f' (pid {pid})' if pid else ''} is rebuilding. `inkfold projections status` shows "
                "how far it is; run this again when it is done."
            )
        await prepare_session(connection)
        home = await connection.fetchval("SELECT current_schema()")
        await require_swappable(connection, home, [table for each in projections for table in each.tables])
        cluster = await system_identifier(connection)
        await require_present_release(connection, projections, cluster, over_later=over_later)
        await adopt(connection, cluster)
        run = _Run(
            shadow=await Shadow.open(connection),
            projections=projections,
            pace=Pace(most=limit, seconds=0.5),
            on_failure=OnFailure(isolate=True, park=park, patience=0),
            report=report,
        )
        await run.fill(connect, sessions=sessions)
        await run.shadow.enter()
        report.begin("Catching up and swapping", None, "events")
        await run.catch_up()
        await run.swap()
        await run.shadow.leave()
        await run.shadow.drop()


@dataclass(slots=True, kw_only=True)
class _Run:
    shadow: Shadow
    projections: Sequence[Projection]
    pace: Pace
    on_failure: OnFailure
    report: Report
    by_name: dict[str, Projection] = field(init=False)
    folded: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.by_name = {projection.name: projection for projection in self.projections}

    async def fill(self, connect: Connect, *, sessions: int) -> None:
        shadow = self.shadow
        try:
            await shadow.keep_only(self.projections)
            finished = await shadow.finished(self.projections)
            if finished:
                names = ", ".join(projection.name for projection in finished)
                self.report.note(f"Going on with what an interrupted run has filled: {names}.")
            missing = [projection for projection in self.projections if projection not in finished]
            if missing:
                await Filling(shadow=shadow, projections=missing, report=self.report).run(connect, sessions=sessions)
        except asyncpg.LockNotAvailableError as error:
            raise RebuildRunningError(
                "A session of an interrupted rebuild is still at work, or somebody has locked what is needed. "
                f"Run this again. ({error})"
            ) from error

    async def catch_up(self) -> None:
        """Step the new tables until they reflect the present."""
        while True:
            began = time.monotonic()
            step = Step(
                self.shadow.connection,
                self.by_name,
                system_identifier=self.shadow.cluster,
                limit=self.pace.limit,
                on_failure=self.on_failure,
            )
            far = await step.advance(self.by_name)
            if far:
                await step.advance(far)
            for name, error in step.result.failed.items():
                await self.shadow.forget(self.by_name[name])  # filled later, they contain what the fold can't take
                raise RebuildFailedError(f"{name} can't be rebuilt, its fold fails: {error}") from error
            self.folded += sum(step.result.events.values())
            self.report.reach(self.folded)
            if not step.result.more:
                return
            elapsed = time.monotonic() - began
            self.pace.learn(elapsed, awaited=False)
            await renew_plans(step.connection, self.by_name.values(), events=step.limit, seconds=elapsed)

    async def arrive(self) -> None:
        """Let the new tables' checkpoints stand at one snapshot, of now; little is left to be folded for it."""
        connection = self.shadow.connection
        step = Step(connection, self.by_name, system_identifier=self.shadow.cluster)
        async with connection.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(connection, self.by_name, limit=step.limit)
            await step.fold_pending(standing)
            still = [name for name in self.by_name if name not in step.result.snapshots]
            assert standing.now is not None
            await move_checkpoints(connection, still, standing.now, events=0)

    @asynccontextmanager
    async def holding_steps(self) -> AsyncIterator[None]:
        """Let nobody step the projections; if this process is stopped meanwhile, for no longer than a worker might."""
        connection = self.shadow.connection
        await lose_locks_when_silent(connection, seconds=_STOPPED_SECONDS)
        try:
            async with holding(connection, self.by_name):
                yield
        finally:
            if not connection.is_closed():
                await lose_locks_when_silent(connection)

    async def swap(self) -> None:
        """Put the new tables in place as soon as nobody holds an old one for longer than a moment."""
        swap = Swap(self.shadow, self.projections)
        pause, told = _FIRST_PAUSE_SECONDS, False
        while True:
            try:
                await swap.prepare()
                async with self.holding_steps():
                    await self.catch_up()
                    await self.arrive()
                    await swap.attempt()
                    return
            except (asyncpg.LockNotAvailableError, StepFailedError):  # an event that has just come is parked next time
                if pause > _PATIENT_SECONDS and not told:
                    self.report.note(await swap.hindrance())
                    told = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await self.catch_up()
