"""Two hundred people sign in at once, again and again: what those notice who read.

`python -m loadtests.hostile.logins`, on a system of its own. Reads at a chosen pace, without and with them in turn.
Exits 1 when a read fails, a login is answered with anything but 200 or 503, or the reads' p99 with them is more than
`--most-ratio` times the one without, over all rounds.
"""

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from loadtests.hostile.bystanders import Bystanders, Read, read_for
from loadtests.hostile.client import GOOD, NO_ANSWER, Client, retry_after
from loadtests.hostile.findings import run_attack
from loadtests.hostile.people import PASSWORD, Person, sign_up
from loadtests.hostile.system import Attacked
from projections.engine.report import Report

_ACCOUNTS: Final = 10
#: Who answers this share of what is due keeps the pace.
_KEPT: Final = 0.9
_EXPECTED: Final = frozenset({200, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningIn:
    """Reads without and with parallel logins, round by round, and how the logins were answered."""

    parallel: int
    #: Of each half of a round, and how many reads were due in each second.
    seconds: float
    due: float
    most_ratio: float
    without: list[Read] = field(default_factory=list)
    beside: list[Read] = field(default_factory=list)
    logins: Counter[int] = field(default_factory=Counter)

    @property
    def ratio(self) -> float:
        """The reads' p99 beside the logins, as a multiple of the one without."""
        return _all(self.beside).p99_ms / _all(self.without).p99_ms

    @property
    def lines(self) -> Sequence[str]:
        """The summary."""
        rounds = [
            f"round {number}: p99 {without.p99_ms:.1f} ms without, {beside.p99_ms:.1f} ms with"
            for number, (without, beside) in enumerate(zip(self.without, self.beside, strict=True), 1)
        ]
        answers = ", ".join(f"{status or 'no answer'} {times:,}" for status, times in sorted(self.logins.items()))
        seconds = self.seconds * len(self.beside)
        return (
            *rounds,
            f"without logins: {_all(self.without)}",
            f"with {self.parallel} parallel logins: {_all(self.beside)}",
            *self._shortfall(seconds),
            f"ratio of the p99: {self.ratio:.2f}",
            f"logins: {answers}; {self.logins[200] / seconds:.0f} a second succeeded",
        )

    def _shortfall(self, seconds: float) -> Iterator[str]:
        """Say so where not even the reads alone kept the pace: then the times tell of the machine only."""
        answered = len(_all(self.without).seconds) / seconds
        if answered < _KEPT * self.due:
            yield f"without logins, {answered:.0f} reads a second of {self.due:g}: the machine was too busy to tell"

    @property
    def failures(self) -> Sequence[str]:
        """What was not as it must be."""
        return tuple(self._failures())

    def _failures(self) -> Iterator[str]:
        for when, reads in (("without logins", self.without), ("with logins", self.beside)):
            if _all(reads).failed:
                yield f"Reads failed {when}: {dict(_all(reads).failed)}"
        if odd := {status: times for status, times in self.logins.items() if status not in _EXPECTED}:
            yield f"Logins were answered {odd}."
        if not self.logins[200]:
            yield "Nobody could sign in."
        if self.ratio > self.most_ratio:
            most = f"{self.most_ratio:g} is the most"
            yield f"The reads' p99 was {self.ratio:.2f} times the one without logins, and {most}."


def _all(rounds: Sequence[Read]) -> Read:
    total = Read()
    for each in rounds:
        total += each
    return total


@asynccontextmanager
async def _signing_in(port: int, people: Sequence[Person], parallel: int, answers: Counter[int]) -> AsyncIterator[None]:
    """Let so many sign in without pause until the block ends; whoever is told to come again later does."""

    async def sign_in(number: int) -> None:
        client = Client(port)
        credentials = {"username": people[number % len(people)].username, "password": PASSWORD}
        try:
            while True:
                answer = await client.ask("write", "POST", "/auth/login/", credentials)
                answers[answer.status if answer else NO_ANSWER] += 1
                if answer is None or answer.status not in GOOD:
                    await asyncio.sleep(retry_after(answer.headers if answer else ()) * random.uniform(1, 2))
        finally:
            await client.close()

    tasks = [asyncio.create_task(sign_in(number)) for number in range(parallel)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def attack(system: Attacked, arguments: argparse.Namespace, report: Report) -> SigningIn:
    """Read without logins and with them, in turn."""
    people = await sign_up(system.port, _ACCOUNTS, report, name="login")
    bystanders = Bystanders.among(system.port, people, per_second=arguments.reads)
    found = SigningIn(
        parallel=arguments.parallel,
        seconds=arguments.seconds,
        due=arguments.reads,
        most_ratio=arguments.most_ratio,
    )
    report.begin("Reading", 2 * arguments.rounds * arguments.seconds, "seconds")
    await read_for(bystanders, 1)  # connections and what is kept are there then
    for number in range(arguments.rounds):
        found.without.append(await read_for(bystanders, arguments.seconds))
        report.reach((2 * number + 1) * arguments.seconds)
        async with _signing_in(system.port, people, arguments.parallel, found.logins):
            found.beside.append(await read_for(bystanders, arguments.seconds))
        report.reach(2 * (number + 1) * arguments.seconds)
        report.note(f"p99 {found.without[-1].p99_ms:.1f} ms without logins, {found.beside[-1].p99_ms:.1f} ms with")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parallel", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10, help="of each half of a round")
    parser.add_argument("--reads", type=float, default=200, help="a second")
    parser.add_argument("--most-ratio", type=float, default=3.0)
    run_attack("logins", parser, attack, connections=lambda given: int(given.parallel))
