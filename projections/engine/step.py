"""The fold step: one REPEATABLE READ transaction that moves read tables from one snapshot to the next.

The events of a step are exactly those visible now and not in the checkpoint's snapshot. Never by position, never by
an xmin horizon: those lose events or stall behind an open transaction.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

import asyncpg

from projections.engine.checkpoint import Checkpoint, Connection, Standing, move_checkpoints, read_checkpoints
from projections.engine.locks import holding_free
from projections.engine.plans import renew_plans
from projections.engine.poison import TooManyParkedError, fold_around_poison, is_poison
from projections.engine.projection import Projection
from projections.engine.short_step import short_step
from projections.engine.snapshot import Snapshot
from projections.engine.step_events import clear, collect, run_folds, run_folds_together
from projections.engine.step_result import RAISE, OnFailure, StepFailedError, StepResult


async def step(
    connection: Connection,
    projections: Sequence[Projection],
    *,
    system_identifier: int,
    limit: int,
    on_failure: OnFailure = RAISE,
    result: StepResult | None = None,
) -> StepResult:
    """Fold what is new into those projections that are free, about `limit` events at most.

    Projections that have more than that before them take a transaction of their own, so that the others need not wait
    for theirs. Raises StepFailedError where a failing fold is not isolated, and then its transaction has not happened;
    `result`, if given, says what has. Waits while another session folds; raises asyncpg.LockNotAvailableError past the
    session's lock_timeout.
    """
    by_name = {projection.name: projection for projection in projections}
    one = Step(connection, by_name, system_identifier=system_identifier, limit=limit, on_failure=on_failure)
    one.result = result or one.result
    began = time.monotonic()
    if on_failure.isolate or not await short_step(
        connection, by_name, system_identifier=system_identifier, limit=limit, result=one.result
    ):
        async with holding_free(connection, by_name) as names:
            far = await one.advance(names)
            if far:
                await one.advance(far)
    events = sum(one.result.events.values())
    await renew_plans(connection, projections, events=events, seconds=time.monotonic() - began)
    return one.result


async def step_to_present(
    connection: Connection, projection: Projection, *, system_identifier: int, limit: int = 20_000
) -> None:
    """Step one projection until about `limit` events are left at most; raises StepFailedError."""
    more = True
    while more:
        more = (await step(connection, [projection], system_identifier=system_identifier, limit=limit)).more


@dataclass(slots=True)
class Step:
    """A step on its way, for callers that hold what locks it needs. `result` gathers what it has done."""

    connection: Connection
    by_name: Mapping[str, Projection]
    _: KW_ONLY
    system_identifier: int
    limit: int = 2**31 - 1
    on_failure: OnFailure = RAISE
    result: StepResult = field(default_factory=StepResult)

    async def advance(self, names: Collection[str]) -> list[str]:
        """Take one transaction: projections that can reach the present do; if none can, all go some way.

        Return the names of those that were left behind.
        """
        attempt = replace(self, result=StepResult())
        async with self.connection.transaction(isolation="repeatable_read"):
            standing = await read_checkpoints(self.connection, names, limit=self.limit)
            due = standing.due(self.by_name, self.system_identifier)
            chosen = [checkpoint for checkpoint in due if checkpoint.beyond is None] or due
            await attempt.fold_pending(replace(standing, checkpoints=chosen))
        self.result.add(attempt.result)
        left = [checkpoint.projection for checkpoint in due if checkpoint not in chosen]
        self.result.more = self.result.more or bool(left)
        self.result.apart = self.result.apart or bool(left)
        return left

    async def fold_pending(self, standing: Standing) -> int:
        """Fold what each checkpoint has not seen, in the caller's REPEATABLE READ transaction; return how many."""
        groups: dict[Snapshot, list[Checkpoint]] = defaultdict(list)
        for checkpoint in standing.checkpoints:
            groups[checkpoint.snapshot].append(checkpoint)
        self.result.more = any(checkpoint.beyond is not None for checkpoint in standing.checkpoints)
        total = 0
        for seen, members in groups.items():
            beyond = members[0].beyond
            assert standing.now is not None
            target = standing.now if beyond is None else standing.now.cut(beyond)
            events = await collect(self.connection, seen, target)
            if events:
                total += sum(events.values())
                await self._move(members, events, target)
        return total

    async def _move(self, members: Sequence[Checkpoint], events: dict[str, int], target: Snapshot) -> None:
        folded = await (self._fold_each if self.on_failure.isolate else self._fold_together)(members, events)
        if folded:
            await move_checkpoints(self.connection, folded, target, events=sum(events.values()))
        self.result.note(folded, events, target)

    async def _fold_together(self, members: Sequence[Checkpoint], events: dict[str, int]) -> list[str]:
        """Run the folds that the events call for; return whose checkpoints may move: all, or an error is raised."""
        names = [member.projection for member in members]
        try:
            await run_folds_together(self.connection, [self.by_name[name] for name in names], events)
        except asyncpg.PostgresError as error:
            raise StepFailedError(*names) from error
        return names

    async def _fold_each(self, members: Sequence[Checkpoint], events: dict[str, int]) -> list[str]:
        """Do the same projection by projection; one that fails stays where it is."""
        folded = [member.projection for member in members if await self._fold(member, events)]
        await clear(self.connection)
        return folded

    async def _fold(self, member: Checkpoint, events: dict[str, int]) -> bool:
        projection = self.by_name[member.projection]
        try:
            async with self.connection.transaction():
                await run_folds(self.connection, projection, events)
        except asyncpg.PostgresError as error:
            if error.sqlstate == asyncpg.SerializationError.sqlstate:
                raise StepFailedError(projection.name) from error
            return await self._fold_around(member, error)
        return True

    async def _fold_around(self, member: Checkpoint, error: asyncpg.PostgresError) -> bool:
        """Fold around the events that the fold fails at, if it is time; return whether that went through."""
        projection = self.by_name[member.projection]
        # Tables of an earlier version may fail at anything, and will be replaced.
        earlier = member.version != projection.version
        if not self.on_failure.park or earlier or member.failures < self.on_failure.patience or not is_poison(error):
            self.result.failed[projection.name] = error
            return False
        try:
            async with self.connection.transaction():
                self.result.parked[projection.name] = await fold_around_poison(self.connection, projection)
        except (asyncpg.PostgresError, TooManyParkedError) as cause:
            self.result.failed[projection.name] = cause
            return False
        return True
