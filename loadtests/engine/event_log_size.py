"""Whether a long event log slows the fold: a like's step and its way to the read table, with a log of none and of many.

`python -m loadtests.engine.event_log_size`, on servers of its own. The old events are written in transactions of many
before a checkpoint's snapshot, as events that were folded long ago are; at the end they are pruned, and it is measured
once more. Each time with a fresh session, and a fresh worker.
"""

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

import asyncpg
import psutil

from app.db import connect_folding
from app.doorbell import FOLD, Doorbell
from loadtests.engine.display import OUT, spread
from loadtests.engine.made_up import Blog
from loadtests.engine.own_system import OwnSystem, own_system, ringable, until_built, until_folded
from projections.cli.progress import progress
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.connections import opened
from projections.engine.report import Report
from projections.engine.retention import prune
from projections.engine.status import read_status
from projections.engine.step import step
from projections.engine.step_events import prepare_session
from projections.registry import PROJECTIONS

#: A step that plans what it has not yet planned for good isn't like the others.
_FIRST_STEPS: Final = 10
_POLL_SECONDS: Final = 0.0005
#: Until the worker has told everyone of the step before.
_REST_SECONDS: Final = 0.02
_ASKED: Final = 5
_RETENTION: Final = timedelta(days=30)

_OLD: Final = """
INSERT INTO event (type, subject_id, actor_id, payload, at)
SELECT
    'PostLiked', gen_random_uuid(), gen_random_uuid(),
    jsonb_build_object('author_id', gen_random_uuid(), 'liked_at', now() - interval '60 days'),
    now() - interval '60 days'
FROM generate_series(1, $1::bigint)
"""
# Those of the measurement before come first in the log, and pruning ends at the first that is too young.
_AGE: Final = "UPDATE event SET at = at - interval '60 days'"
# Whoever folded them is long past them.
_MOVE_ON: Final = "UPDATE checkpoint SET snapshot = pg_current_snapshot()"
_VISIBLE: Final = "SELECT sum(like_count) FROM read_post"
_BEHIND: Final = "SELECT bool_or(behind) FROM read_lag"


@dataclass(slots=True, kw_only=True)
class Times:
    """What was measured with one log, in seconds."""

    label: str
    steps: list[float] = field(default_factory=list)
    processor: float = 0.0
    visible: list[float] = field(default_factory=list)
    asking: list[float] = field(default_factory=list)
    status: float = 0.0

    def say(self) -> None:
        """Print it."""
        OUT.print(f"{self.label}:")
        OUT.print(
            f"    a step of one like: {spread(self.steps)}; {self.processor * 1000:.1f} ms of PostgreSQL's processor"
        )
        OUT.print(f"    its commit → seen in the read table: {spread(self.visible)}")
        OUT.print(f"    asking whether a projection is behind: {spread(self.asking)}")
        OUT.print(f"    status of all projections: {self.status * 1000:.1f} ms")


@dataclass(slots=True, kw_only=True)
class Measurement:
    """Gives likes one after another, and times what follows from each."""

    system: OwnSystem
    connection: Connection
    blog: Blog
    likes: int
    given: int = 0

    async def run(self, label: str, report: Report) -> Times:
        """Measure with the log as it is."""
        times = Times(label=label)
        report.begin(f"Steps, {label}", self.likes, "likes")
        async with opened(partial(connect_folding, self.system.config)) as folding:
            await prepare_session(folding)
            cluster = await system_identifier(folding)
            backend = psutil.Process(folding.get_server_pid())
            for turn in range(_FIRST_STEPS + self.likes):
                await self._like()
                if turn == _FIRST_STEPS:
                    begun = sum(backend.cpu_times()[:2])
                began = time.perf_counter()
                await step(
                    folding, PROJECTIONS, system_identifier=cluster, limit=self.system.config.fold_events_per_step
                )
                if turn >= _FIRST_STEPS:
                    times.steps.append(time.perf_counter() - began)
                    report.reach(len(times.steps))
            times.processor = (sum(backend.cpu_times()[:2]) - begun) / self.likes
        async with ringable(self.system.config) as doorbell:
            await self._by_worker(times, doorbell, report)
        for _ in range(_ASKED):
            began = time.perf_counter()
            await self.connection.fetchval(_BEHIND)
            times.asking.append(time.perf_counter() - began)
        began = time.perf_counter()
        await read_status(self.connection, PROJECTIONS)
        times.status = time.perf_counter() - began
        return times

    async def _by_worker(self, times: Times, doorbell: Doorbell, report: Report) -> None:
        report.begin(f"By a worker, {times.label}", self.likes, "likes")
        with self.system.worker() as worker:
            await until_folded(self.connection, worker)
            for turn in range(_FIRST_STEPS + self.likes):
                worker.require_alive()
                await asyncio.sleep(_REST_SECONDS)
                await self._like()
                began = time.perf_counter()
                doorbell.ring(FOLD)
                while await self.connection.fetchval(_VISIBLE) < self.given:
                    await asyncio.sleep(_POLL_SECONDS)
                if turn >= _FIRST_STEPS:
                    times.visible.append(time.perf_counter() - began)
                    report.reach(len(times.visible))

    async def _like(self) -> None:
        await self.blog.like(self.connection, self.given, self.given + 1)
        self.given += 1


async def _grow_old(connection: Connection, rows: int, each: int, report: Report) -> None:
    report.begin("Writing old events", rows, "events")
    await connection.execute(_AGE)
    for done in range(0, rows, each):
        await connection.execute(_OLD, min(each, rows - done))
        report.reach(done + each)
    await connection.execute(_MOVE_ON)


async def main(system: OwnSystem, *, rows: int, each: int, likes: int) -> None:
    """Measure with an empty log, with old events, when they were analyzed, and when they were pruned."""
    connection = await asyncpg.connect(system.config.database_url)
    blog = Blog(people=1_000, posts=100)
    await blog.write(connection)
    with system.worker() as worker:
        await until_built(connection, worker)
    measurement = Measurement(system=system, connection=connection, blog=blog, likes=likes)
    with progress() as report:
        found = [await measurement.run("an empty log", report)]
        await _grow_old(connection, rows, each, report)
        found.append(await measurement.run(f"{rows:,} old events", report))
        await connection.execute("VACUUM ANALYZE event")
        found.append(await measurement.run(f"{rows:,} old events, vacuumed and analyzed", report))
        began = time.monotonic()
        pruned = await prune(connection, older_than=_RETENTION, report=report)
        seconds = time.monotonic() - began
        found.append(await measurement.run("after pruning", report))
    await connection.close()
    for times in found:
        times.say()
    for times in found[1:]:
        say_ratios(found[0], times)
    OUT.print(f"prune: {pruned:,} events in {seconds:.1f} s, {pruned / seconds:,.0f} events/s")


def say_ratios(before: Times, after: Times) -> None:
    """Print how much longer things take than before; a busy machine spoils all but the processor's time."""
    steps = statistics.median(after.steps) / statistics.median(before.steps)
    visible = statistics.median(after.visible) / statistics.median(before.visible)
    processor = after.processor / before.processor
    OUT.print(
        f"{after.label}, to {before.label}, medians: step {steps:.2f} (processor {processor:.2f}), seen {visible:.2f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--each", type=int, default=1_000, help="old events in a transaction")
    parser.add_argument("--likes", type=int, default=300)
    arguments = parser.parse_args()
    # A blog of this size wants as much memory, and checkpoints by time, not by size.
    with own_system(shared_buffers="2GB", max_wal_size="8GB") as system_:
        asyncio.run(main(system_, **vars(arguments)))
