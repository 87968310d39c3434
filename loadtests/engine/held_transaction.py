"""Whether anyone's events wait for a transaction that stays open: how long after their commit they are folded.

`python -m loadtests.engine.held_transaction`, on servers and a worker of its own. Writers give likes over connections
of their own, the like and its event in one statement and one transaction, evenly over the time that a transaction with
likes of its own is held open; before that, some without it, to compare. Moments are PostgreSQL's own: the commit
records of the likes and of the steps (track_commit_timestamp). Exits 1 if anything is lost.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg

from app.doorbell import FOLD, Doorbell
from app.settings import Settings
from loadtests.engine.display import OUT, spread
from loadtests.engine.made_up import Blog
from loadtests.engine.own_system import OwnSystem, own_system, ringable, until_built, until_folded
from loadtests.engine.truth import number, verified
from projections.cli.progress import progress
from projections.engine.checkpoint import Connection
from projections.engine.report import Report
from projections.engine.snapshot import Snapshot

#: Likes of the transaction that is held open.
_HELD: Final = 5
#: The time before it, in which likes are given without it, is this part of the time with it.
_ALONE: Final = 0.2
_POLL_SECONDS: Final = 0.002

_STEPS: Final = """
SELECT array_agg(DISTINCT snapshot::text) AS snapshots, max(pg_xact_commit_timestamp(xmin)) AS at FROM checkpoint
"""
_COMMITS: Final = (
    "SELECT tx::text AS tx, pg_xact_commit_timestamp(tx::xid) AS at FROM event WHERE tx = ANY ($1::text[]::xid8[])"
)
_COUNTS: Final = """
SELECT
    (SELECT count(*) FROM likes) AS given,
    (SELECT sum(like_count) FROM read_post) AS counted,
    (SELECT count(*) FROM read_post_like) AS listed
"""


@dataclass(slots=True)
class Steps:
    """Which snapshots all projections reflected, and since when; gathered by `watch` until it is cancelled."""

    seen: list[tuple[list[Snapshot], datetime]] = field(default_factory=list)

    async def watch(self, connection: Connection) -> None:
        """Look for new steps every two milliseconds."""
        last: object = None
        while True:
            row = await connection.fetchrow(_STEPS)
            if row is not None and row["snapshots"] != last:
                last = row["snapshots"]
                self.seen.append(([Snapshot.parse(text) for text in row["snapshots"]], row["at"]))
            await asyncio.sleep(_POLL_SECONDS)

    def folded_at(self, tx: int) -> datetime | None:
        """Return the commit of the first step seen whose projections all reflect the transaction."""
        low, high = 0, len(self.seen)
        while low < high:
            middle = (low + high) // 2
            if all(snapshot.sees(tx) for snapshot in self.seen[middle][0]):
                high = middle
            else:
                low = middle + 1
        return self.seen[low][1] if low < len(self.seen) else None


@dataclass(slots=True, kw_only=True)
class Writers:
    """Give likes one by one, evenly over a time."""

    blog: Blog
    connections: Sequence[Connection]
    doorbell: Doorbell
    number: int = 0

    async def give(self, likes: int, seconds: float, report: Report) -> list[int]:
        """Give so many likes in about so many seconds, or longer where that is too fast; return their transactions."""
        begun, end, began = self.number, self.number + likes, time.monotonic()
        transactions: list[int] = []

        async def write(connection: Connection) -> None:
            while self.number < end:
                mine, self.number = self.number, self.number + 1
                await asyncio.sleep(max(began + (mine - begun) * seconds / likes - time.monotonic(), 0))
                transactions.append(await self.blog.like(connection, mine, mine + 1))
                self.doorbell.ring(FOLD)
                report.reach(len(transactions))

        await asyncio.gather(*map(write, self.connections))
        return transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The transactions that gave likes: before the held one, while it was open, and itself; and how long it was."""

    before: list[int]
    beside: list[int]
    held: int
    held_seconds: float


async def measure(
    config: Settings, steps: Steps, crowd: Writers, *, events: int, seconds: float, report: Report
) -> Measured:
    """Give likes without and with a transaction held open, and commit that at last."""
    holding, watching = await _connect(config), await _connect(config)
    watch = asyncio.create_task(steps.watch(watching))
    report.begin("Likes, no transaction held", events * _ALONE, "events")
    before = await crowd.give(int(events * _ALONE), seconds * _ALONE, report)
    report.begin(f"Likes, a transaction held for {seconds:.0f} s", events, "events")
    transaction = holding.transaction()
    await transaction.start()
    began = time.monotonic()
    most = crowd.blog.people * crowd.blog.posts
    held = await crowd.blog.like(holding, most - _HELD, most)
    beside = await crowd.give(events, seconds, report)
    await transaction.commit()
    held_seconds = time.monotonic() - began
    crowd.doorbell.ring(FOLD)
    while steps.folded_at(held) is None:
        await asyncio.sleep(_POLL_SECONDS)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    for connection in (*crowd.connections, holding, watching):
        await connection.close()
    return Measured(before=before, beside=beside, held=held, held_seconds=held_seconds)


async def _connect(config: Settings) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(config.database_url)


async def _lags(connection: Connection, steps: Steps, transactions: list[int]) -> list[float]:
    """Return for each transaction how many seconds after its commit it was folded."""
    rows = await connection.fetch(_COMMITS, [str(tx) for tx in transactions])
    folded = [(steps.folded_at(int(row["tx"])), row["at"]) for row in {row["tx"]: row for row in rows}.values()]
    return [(at - committed).total_seconds() for at, committed in folded if at is not None]


async def main(system: OwnSystem, *, events: int, seconds: float, writers: int) -> int:
    """Measure; return the exit code."""
    blog = Blog(people=1_000, posts=1_000)
    if events * (1 + _ALONE) + _HELD > blog.people * blog.posts:
        raise SystemExit("There are not so many pairs of people and posts.")
    connection = await _connect(system.config)
    await blog.write(connection)
    steps = Steps()
    with system.worker() as worker, progress() as report:
        await until_built(connection, worker)
        async with ringable(system.config) as doorbell:
            connections = [await _connect(system.config) for _ in range(writers)]
            crowd = Writers(blog=blog, connections=connections, doorbell=doorbell)
            done = await measure(system.config, steps, crowd, events=events, seconds=seconds, report=report)
        await until_folded(connection, worker)
        wrong = number(await verified(system.config, report))
    before, beside, held = [
        await _lags(connection, steps, transactions) for transactions in (done.before, done.beside, [done.held])
    ]
    counts = await connection.fetchrow(_COUNTS)
    await connection.close()
    assert counts is not None
    expected = len(done.before) + len(done.beside) + _HELD
    OUT.print(f"{writers} writers, each like in a transaction of its own; {len(steps.seen):,} steps seen.")
    OUT.print(f"commit → folded, no transaction held: {spread(before)}")
    OUT.print(f"commit → folded, one held open for {done.held_seconds:.1f} s: {spread(beside)}")
    OUT.print(f"the held one's {_HELD} events, after its commit: {spread(held)}")
    OUT.print(f"likes: {expected:,} written, {', '.join(f'{value:,} {name}' for name, value in counts.items())}")
    OUT.print(f"verify: {wrong} rows differ")
    whole = len(before) == len(done.before) and len(beside) == len(done.beside)
    return 0 if whole and not wrong and set(counts.values()) == {expected} else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--writers", type=int, default=8)
    arguments = parser.parse_args()
    with own_system(track_commit_timestamp="on") as system_:
        sys.exit(asyncio.run(main(system_, **vars(arguments))))
