"""Bodies of 50 MB, endless nesting, huge numbers, broken texts: how each is answered, and what memory it costs the API.

`python -m loadtests.hostile.large_bodies`, on a system of its own. Exits 1 when anything is not answered with the 4xx
that it should be, the API's process is another one at the end, or its memory grew by more than `--most-growth` at any
moment.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from loadtests.hostile.bodies import Hostile, hostile_requests, send
from loadtests.hostile.bystanders import Bystanders, read_for
from loadtests.hostile.findings import run_attack
from loadtests.hostile.people import sign_up
from loadtests.hostile.system import Attacked, Memory
from projections.engine.report import Report

_MEGABYTE: Final = 1_000_000
_WARMING_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How one kind was answered each time, and the most memory that the API had meanwhile."""

    hostile: Hostile
    statuses: Counter[int]
    peak: int

    @property
    def wrong(self) -> bool:
        """Whether anything else was answered than should be."""
        return not self.hostile.statuses.issuperset(self.statuses)

    @property
    def said(self) -> str:
        """The statuses, and how often."""
        return ", ".join(f"{status or 'no answer'} {times} times" for status, times in sorted(self.statuses.items()))


@dataclass(slots=True, kw_only=True)
class Swallowed:
    """What all of them came to."""

    before: Memory
    after: Memory
    most_growth: float
    lives: bool
    answers: list[Answers] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """By how much the API's memory grew at most, in MB."""
        peaks = (each.peak for each in self.answers)
        return (max([self.after.peak, *peaks]) - self.before.now) / _MEGABYTE

    @property
    def lines(self) -> Sequence[str]:
        """The summary."""
        kinds = [
            f"{each.hostile.name}: {each.said}; at most {(each.peak - self.before.now) / _MEGABYTE:+.1f} MB"
            for each in self.answers
        ]
        before, after = self.before.now / _MEGABYTE, self.after.now / _MEGABYTE
        memory = f"{before:.1f} MB before, {after:.1f} MB after, {self.growth:+.1f} MB at most in between"
        return (*kinds, f"the API's memory: {memory}")

    @property
    def failures(self) -> Sequence[str]:
        """What was not as it must be."""
        return tuple(self._failures())

    def _failures(self) -> Iterator[str]:
        for each in self.answers:
            if each.wrong:
                expected = " or ".join(map(str, sorted(each.hostile.statuses)))
                yield f"{each.hostile.name}: {each.said}, and must be {expected}."
        if not self.lives:
            yield "The API did not live through it: its process is another one now."
        if self.growth > self.most_growth:
            yield f"The API's memory grew by {self.growth:.1f} MB, and {self.most_growth:g} MB is the most."


async def attack(system: Attacked, arguments: argparse.Namespace, report: Report) -> Swallowed:
    """Send each so many times, some at once."""
    people = await sign_up(system.port, 1, report, name="sender")
    await read_for(Bystanders.among(system.port, people, per_second=100), _WARMING_SECONDS)
    token, api = people[0].token, system.api.pid
    requests = hostile_requests(arguments.megabytes)
    report.begin("Sending", len(requests), "kinds")
    system.forget_peak()
    before = system.memory()
    answers: list[Answers] = []
    for number, hostile in enumerate(requests, 1):
        system.forget_peak()
        statuses = await _send_all(system.port, token, hostile, times=arguments.times, at_once=arguments.at_once)
        answers.append(Answers(hostile=hostile, statuses=statuses, peak=system.memory().peak))
        report.reach(number)
    return Swallowed(
        before=before,
        after=system.memory(),
        most_growth=arguments.most_growth,
        lives=system.api.pid == api,
        answers=answers,
    )


async def _send_all(port: int, token: str, hostile: Hostile, *, times: int, at_once: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    waiting = iter(range(times))

    async def send_some() -> None:
        for _ in waiting:
            statuses[await send(port, token, hostile)] += 1

    await asyncio.gather(*(send_some() for _ in range(at_once)))
    return statuses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--times", type=int, default=20, help="each is sent")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--most-growth", type=float, default=50, help="MB: less than one such body")
    run_attack("large_bodies", parser, attack)
