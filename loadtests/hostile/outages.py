"""A thousand clients while PostgreSQL crashes twice and Redis is away twice: nothing acknowledged is lost or doubled.

`python -m loadtests.hostile.outages`, on a system of its own. Each client changes things of its own and remembers what
it was told; at the end the tables, the event log and the read tables are compared with that. Exits 1 when anything
acknowledged is lost or doubled, a read table differs from its definition, somebody did not see their own like, or
anything failed while PostgreSQL was there: without Redis everything is to go on.
"""

import argparse
import asyncio
import random
import time
from typing import Final

import asyncpg

from loadtests.engine.truth import number, top_differs, verified
from loadtests.hostile.crowd import Crowd
from loadtests.hostile.faults import Trouble
from loadtests.hostile.findings import run_attack
from loadtests.hostile.people import sign_up
from loadtests.hostile.recovery import Course
from loadtests.hostile.survived import Survived
from loadtests.hostile.system import Attacked
from projections.engine.checkpoint import Connection
from projections.engine.report import Report

_BEHIND: Final = """
SELECT coalesce(bool_or(behind), false) OR EXISTS (SELECT FROM announcements) FROM read_lag
"""
_LOOK_SECONDS: Final = 0.05
_SETTLE_SECONDS: Final = 120


async def survive(system: Attacked, crowd: Crowd, trouble: Trouble, *, newcomers: int, window: float) -> Survived:
    """Let the storm rage, wait until everything is folded, and compare."""
    report, began = trouble.report, time.monotonic()
    report.begin(f"Storm of {len(crowd.people):,} clients", trouble.seconds, "seconds")
    course = Course(answers=crowd.answers, outages=trouble.outages, window=window)
    raging = asyncio.create_task(crowd.rage(newcomers=newcomers))
    await asyncio.gather(_show(report, trouble.seconds), trouble.strike())
    await _recovered(course)
    crowd.over = True
    await raging
    seconds = time.monotonic() - began
    connection = await asyncpg.connect(system.config.database_url)
    try:
        report.begin("Folding the rest", None, "")
        folded_seconds = await _folded(connection)
        losses = await crowd.oracle.compare(connection)
        top = await top_differs(system.config, connection)
    finally:
        await connection.close()
    found = await verified(system.config, report)
    return Survived(
        crowd=crowd,
        course=course,
        began=began,
        seconds=seconds,
        losses=losses,
        folded_seconds=folded_seconds,
        rows=sum(each.rows for each in found),
        differing=number(found),
        top=top,
    )


async def _show(report: Report, seconds: float) -> None:
    began = time.monotonic()
    while (gone := time.monotonic() - began) < seconds:
        report.reach(gone)
        await asyncio.sleep(_LOOK_SECONDS)


async def _recovered(course: Course) -> None:
    """Wait until things are done again after the last outage, or its window is over."""
    deadline = time.monotonic() + course.window
    while time.monotonic() < deadline and not all(course.over(outage) for outage in course.outages):
        await asyncio.sleep(_LOOK_SECONDS)


async def _folded(connection: Connection) -> float | None:
    began = time.monotonic()
    while await connection.fetchval(_BEHIND):
        if time.monotonic() - began > _SETTLE_SECONDS:
            return None
        await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


async def attack(system: Attacked, arguments: argparse.Namespace, report: Report) -> Survived:
    """Sign everyone up and let the storm begin."""
    report.note(f"seed {arguments.seed}")
    people = await sign_up(system.port, arguments.clients, report)
    crowd = Crowd(port=system.port, people=people, chance=random.Random(arguments.seed), pause=arguments.pause)
    away = arguments.seconds / 3 if arguments.away is None else arguments.away
    trouble = Trouble(system=system, seconds=arguments.seconds, away=away, report=report)
    return await survive(system, crowd, trouble, newcomers=arguments.newcomers, window=arguments.window)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--away", type=float, help="seconds for which Redis is away, each time; a third of all")
    parser.add_argument(
        "--pause", type=float, default=2.0, help="seconds from an answer to the next request, on average"
    )
    parser.add_argument("--newcomers", type=int, default=4, help="further clients, who register all the time")
    parser.add_argument(
        "--window",
        type=float,
        default=5,
        help="seconds after PostgreSQL is back that its outage excuses",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    run_attack("outages", parser, attack, connections=lambda given: given.clients + given.newcomers)
