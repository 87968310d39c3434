"""Whether killing the worker in the middle of its steps, again and again, leaves anything wrong.

`python -m loadtests.engine.kill_steps`, on servers of its own. Writers go on without pause; a worker is started, and
killed at a random moment of its first steps; now and then it is stopped instead, another takes over, and it wakes
beside that. Then it is quiet, and nothing may differ. Exits 1 if anything does.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from loadtests.engine.display import OUT
from loadtests.engine.own_system import OwnSystem, Worker, own_system, until_built, until_folded
from loadtests.engine.truth import number, top_differs, verified
from loadtests.engine.writers import crowd
from projections.cli.progress import progress
from projections.engine.checkpoint import Connection
from projections.engine.report import Report

_PEOPLE: Final = 50
#: From when a worker's first step is seen to begin to its end, on average, and at most.
_LIFE_SECONDS: Final = 0.15
_LONGEST_SECONDS: Final = 1.5
#: A worker that was stopped sleeps for up to so long beside the next one: PostgreSQL ends its session after 2 s.
_SLEEP_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.002
_STARTED_SECONDS: Final = 60

_FOLDING: Final = "SELECT pid, state, query FROM pg_stat_activity WHERE application_name = 'inkfold-folding'"
_ANNOUNCING: Final = "SELECT EXISTS (SELECT FROM announcements)"


@dataclass(slots=True, kw_only=True)
class Killer:
    """Starts workers and ends them; notes what their sessions were doing in that moment."""

    system: OwnSystem
    connection: Connection
    chance: random.Random
    doing: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    stops: int = 0
    kills: int = 0
    stopped: Worker | None = None

    async def rage(self, kills: int, *, stopping: float, report: Report) -> None:
        """Kill so many workers; that share of them is stopped first, and wakes beside the one that follows."""
        report.begin("Killing workers", kills, "kills")
        while self.kills < kills:
            worker = self.system.worker()
            try:
                pid = await self._first_step(worker)
                if self.stopped is not None:
                    await asyncio.sleep(self.chance.uniform(0, _SLEEP_SECONDS))
                    self.stopped.thaw()
                await asyncio.sleep(min(self.chance.expovariate(1 / _LIFE_SECONDS), _LONGEST_SECONDS))
                await self._look(pid)
                if self.stopped is None and self.chance.random() < stopping:
                    worker.freeze()
                    self.stopped, self.stops = worker, self.stops + 1
                    continue
            except BaseException:
                self._kill(worker)
                raise
            self._kill(worker)
            report.reach(self.kills)

    def _kill(self, worker: Worker) -> None:
        for each in (worker, self.stopped):
            if each is not None:
                each.kill()
                self.kills += 1
        self.stopped = None

    async def _first_step(self, worker: Worker) -> int:
        """Wait until the worker's session has sent something; return the process id of its backend."""
        known = {row["pid"] for row in await self.connection.fetch(_FOLDING)}
        deadline = time.monotonic() + _STARTED_SECONDS
        while time.monotonic() < deadline:
            worker.require_alive()
            for row in await self.connection.fetch(_FOLDING):
                if row["pid"] not in known and row["query"]:
                    return int(row["pid"])
            await asyncio.sleep(_POLL_SECONDS)
        raise RuntimeError(
            f"After {self.kills} kills, a new worker took no step in {_STARTED_SECONDS} s. Workers said:\n{worker.said}"
        )

    async def _look(self, pid: int) -> None:
        for row in await self.connection.fetch(_FOLDING):
            if row["pid"] == pid:
                self.doing[row["state"] or "no state"] += 1
                self.statements[" ".join(row["query"].split())[:60]] += 1


async def main(system: OwnSystem, *, kills: int, stopping: float, writers: int, seed: int) -> int:
    """Kill, and look whether anything differs; return the exit code."""
    chance = random.Random(seed)
    connection = await asyncpg.connect(system.config.database_url)
    killer = Killer(system=system, connection=connection, chance=chance)
    with progress() as report:
        with system.worker() as worker:
            await until_built(connection, worker)
        async with crowd(system.config, connection, chance=chance) as people:
            await people.people_and_posts(_PEOPLE)
            async with people.writing(writers):
                await killer.rage(kills, stopping=stopping, report=report)
        with system.worker() as worker:
            report.begin("Catching up", None, "")
            while await connection.fetchval(_ANNOUNCING):
                worker.require_alive()
                await asyncio.sleep(_POLL_SECONDS)
            await until_folded(connection, worker)
            top = await top_differs(system.config, connection)
            wrong = number(await verified(system.config, report))
    events = await connection.fetchval("SELECT count(*) FROM event")
    await connection.close()
    OUT.print(f"seed {seed}: {people.done:,} commands by {writers} writers, {events:,} events")
    OUT.print(f"workers killed: {killer.kills}; stopped, and awake again beside another before that: {killer.stops}")
    OUT.print(f"their sessions then: {', '.join(f'{what} {times}' for what, times in killer.doing.most_common())}")
    OUT.print(f"in or after {len(killer.statements)} different statements; the most frequent:")
    for statement, times in killer.statements.most_common(8):
        OUT.print(f"    {times} x {statement}")
    for sentence in (*people.failures, *filter(None, [top])):
        OUT.print(sentence)
    OUT.print(f"verify: {wrong} rows differ; top posts in Redis as in SQL: {'no' if top else 'yes'}")
    return 1 if wrong or top or people.failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stopping", type=float, default=0.1, help="share of the workers that are stopped first")
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    arguments = parser.parse_args()
    with own_system() as system_:
        sys.exit(asyncio.run(main(system_, **vars(arguments))))
