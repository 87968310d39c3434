"""How fast a worker folds a backlog beside plain SQL, and how much memory it takes for a small and for a large one.

`python -m loadtests.engine.catch_up`, on servers of its own. While no worker runs, likes are written in transactions of
many; then one plain statement per table folds them into copies of the read tables, and a fresh `inkfold worker` into
the tables themselves; and once more, with more of them. Exits 1 if rows differ in the end.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from loadtests.engine.display import OUT
from loadtests.engine.hot import Updates, updates
from loadtests.engine.made_up import Blog
from loadtests.engine.own_system import OwnSystem, own_system, until_built
from loadtests.engine.plain_sql import Cost, plain_sql, processor_seconds
from loadtests.engine.truth import number, verified
from projections.cli.progress import progress
from projections.engine.checkpoint import Connection
from projections.engine.report import Report
from projections.engine.snapshot import Snapshot
from projections.engine.status import read_status
from projections.registry import PROJECTIONS

_LOOK_SECONDS: Final = 0.05
#: At these shares of a backlog, what `inkfold projections status` would show is printed.
_SHOWN: Final = (0.25, 0.5, 0.75)

# The rows refer to each other rightly by construction; to have each checked would double the time.
_UNCHECKED: Final = "SET session_replication_role = replica"
_SLOWEST: Final = "SELECT snapshot::text FROM checkpoint ORDER BY pg_snapshot_xmax(snapshot)::text::numeric LIMIT 1"
_FOLDING: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = 'inkfold-folding'"


@dataclass(slots=True, kw_only=True)
class Backlog:
    """Likes in transactions of `each`, and what folding them took."""

    events: int
    each: int
    transactions: list[int] = field(default_factory=list)
    seconds: float = 0.0
    first_step_seconds: float = 0.0
    peak_bytes: int = 0
    processor: dict[int, float] = field(default_factory=dict)
    plain: dict[str, Cost] = field(default_factory=dict)
    updates: dict[str, Updates] = field(default_factory=dict)
    status: list[str] = field(default_factory=list)

    async def write(self, connection: Connection, blog: Blog, *, first: int, report: Report) -> None:
        """Write it."""
        report.begin(f"Writing {self.events:,} likes, no worker", self.events, "events")
        for begin in range(first, first + self.events, self.each):
            end = min(begin + self.each, first + self.events)
            self.transactions.append(await blog.like(connection, begin, end))
            report.reach(end - first)

    async def fold(self, system: OwnSystem, connection: Connection, *, report: Report) -> None:
        """Have it folded by plain SQL, then by a fresh worker; note how long that takes, and the worker's memory."""
        report.begin(f"Plain SQL, {self.events:,} events", None, "tables")
        self.plain = await plain_sql(system.config.database_url, first=self.transactions[0])
        before = await updates(connection)
        report.begin(f"Folding {self.events:,} events", self.events, "events")
        began = time.monotonic()
        with system.worker() as worker:
            done = 0
            while done < len(self.transactions):
                worker.require_alive()
                done = self._passed(Snapshot.parse(await connection.fetchval(_SLOWEST)), done)
                if done and not self.first_step_seconds:
                    self.first_step_seconds = time.monotonic() - began
                report.reach(min(done * self.each, self.events))
                await self._look(connection, done / len(self.transactions))
                await asyncio.sleep(_LOOK_SECONDS)
            self.seconds = time.monotonic() - began
            self.peak_bytes = worker.peak_bytes
        now = await updates(connection)  # the worker's sessions have ended and told theirs
        self.updates = {table: now[table].since(before[table]) for table in now}

    def _passed(self, snapshot: Snapshot, known: int) -> int:
        """Return how many transactions, beyond those known, the snapshot sees; they follow one another."""
        while known < len(self.transactions) and snapshot.sees(self.transactions[known]):
            known += 1
        return known

    async def _look(self, connection: Connection, share: float) -> None:
        for row in await connection.fetch(_FOLDING):
            self.processor[row["pid"]] = processor_seconds(row["pid"])
        if len(self.status) < len(_SHOWN) and _SHOWN[len(self.status)] <= share < 1:
            status = max((await read_status(connection, PROJECTIONS)).projections, key=lambda each: each.events_behind)
            self.status.append(
                f"{status.events_behind:,} events behind, last step {status.step_events:,} events in "
                f"{status.step_seconds:.2f} s, {status.seconds_left or 0:.0f} s left"
            )

    def say(self) -> None:
        """Print what it took."""
        megabytes = self.peak_bytes / 1_000_000
        OUT.print(f"{self.events:,} events in transactions of {self.each:,}:")
        OUT.print(
            f"    folded in {self.seconds:.1f} s, {self.events / self.seconds:,.0f} events/s, from the start of the "
            f"worker's process (its first step was seen after {self.first_step_seconds:.1f} s)"
        )
        limit = sum(cost.seconds for cost in self.plain.values())
        processor, folding = sum(cost.processor for cost in self.plain.values()), sum(self.processor.values())
        OUT.print(
            f"    plain SQL, one statement per table: {limit:.1f} s, {self.events / limit:,.0f} events/s. "
            f"Ratio {limit / self.seconds:.2f}; "
            f"of PostgreSQL's processor {processor / folding:.2f} ({processor:.1f} s to {folding:.1f} s)"
        )
        for table, cost in self.plain.items():
            OUT.print(f"        {table}: {cost.seconds:.1f} s, {cost.processor:.1f} s of the processor")
        OUT.print(f"    the worker's peak memory: {megabytes:.1f} MB")
        for table, made in self.updates.items():
            if made.updated:
                OUT.print(f"    {table}: {made}")
        for line in self.status:
            OUT.print(f"    status: {line}")


async def main(system: OwnSystem, *, events: int, small: int, each: int, people: int, posts: int) -> int:
    """Measure; return the exit code."""
    blog = Blog(people=people, posts=posts)
    backlogs = [Backlog(events=small, each=each), Backlog(events=events, each=each)]
    connection = await asyncpg.connect(system.config.database_url)
    await blog.write(connection)
    with progress() as report:
        with system.worker() as worker:
            await until_built(connection, worker)
            idle = worker.peak_bytes
        await connection.execute(_UNCHECKED)
        first = 0
        for backlog in backlogs:
            await backlog.write(connection, blog, first=first, report=report)
            await backlog.fold(system, connection, report=report)
            first += backlog.events
        wrong = number(await verified(system.config, report))
    await connection.close()
    OUT.print(f"Likes by {people:,} people of {posts:,} posts, each post as often.")
    OUT.print(f"A worker that has built empty tables: {idle / 1_000_000:.1f} MB at its peak.")
    for backlog in backlogs:
        backlog.say()
    difference = (backlogs[1].peak_bytes - backlogs[0].peak_bytes) / 1_000_000
    OUT.print(f"{difference:+.1f} MB for the larger one. verify: {wrong} rows differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--small", type=int, default=100_000, help="events of the backlog before")
    parser.add_argument("--each", type=int, default=1_000, help="likes in a transaction")
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--posts", type=int, default=10_000)
    arguments = parser.parse_args()
    if arguments.events + arguments.small > arguments.people * arguments.posts:
        raise SystemExit("There are not so many pairs of people and posts. Give more --people or --posts.")
    # A blog of this size wants as much memory, and checkpoints by time, not by size.
    with own_system(shared_buffers="2GB", max_wal_size="8GB") as system_:
        sys.exit(asyncio.run(main(system_, **vars(arguments))))
