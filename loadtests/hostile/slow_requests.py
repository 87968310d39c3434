"""A thousand connections send headers a byte at a time, or half a body: what all the others notice.

`python -m loadtests.hostile.slow_requests`, on a system of its own. The others read at a chosen pace, each request
over a new connection, first alone and then beside more and more of the slow ones. Exits 1 when any of them failed, and
says beside how many none did. A program may have as many connections as open files: see `--open-files`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from loadtests.hostile.bystanders import Bystanders, Read, read_for
from loadtests.hostile.findings import run_attack
from loadtests.hostile.people import sign_up
from loadtests.hostile.slow_connections import SlowConnections
from loadtests.hostile.system import Attacked
from projections.engine.report import Report

_READERS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What the others met beside so many slow connections, and what had become of those."""

    slow: int
    read: Read
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowedDown:
    """The others alone, beside more and more slow connections, and alone again."""

    alone: Read
    levels: list[Level] = field(default_factory=list)
    after: Read

    @property
    def takes(self) -> int:
        """Beside how many slow connections nobody met an error, at this level and every lower one."""
        most = 0
        for level in self.levels:
            if level.read.failed:
                break
            most = level.slow
        return most

    @property
    def lines(self) -> Sequence[str]:
        """The summary."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"no slow connection: {self.alone}"
        for level in self.levels:
            yield f"{level.slow:,} slow connections: {level.read}"
            yield f"    {level.said}"
        yield f"none any more: {self.after}"
        yield f"nobody else met an error beside {self.takes:,} slow connections"

    @property
    def failures(self) -> Sequence[str]:
        """What was not as it must be."""
        alone = [("without slow connections", self.alone), ("after the slow connections", self.after)]
        levels = [(f"beside {level.slow:,} slow connections", level.read) for level in self.levels]
        return [f"Others failed {when}: {dict(read.failed)}" for when, read in (*alone, *levels) if read.failed]


async def attack(system: Attacked, arguments: argparse.Namespace, report: Report) -> SlowedDown:
    """Let the others read beside none, more and more, and none again."""
    people = await sign_up(system.port, _READERS, report, name="reader")
    bystanders = Bystanders.among(system.port, people, per_second=arguments.reads, fresh=True)
    await read_for(bystanders, 1)
    report.begin("Reading", arguments.steps + 2, "levels")
    levels: list[Level] = []
    alone = await read_for(bystanders, arguments.seconds)
    slow = SlowConnections(port=system.port, drip=arguments.drip)
    try:
        for step in range(1, arguments.steps + 1):
            report.reach(step)
            number = arguments.connections * step // arguments.steps
            await slow.grow(number)
            read = await read_for(bystanders, arguments.seconds)
            levels.append(Level(slow=number, read=read, said=slow.said))
            report.note(f"{number:,} slow connections: {read}")
    finally:
        await slow.close()
    report.reach(arguments.steps + 1)
    return SlowedDown(alone=alone, levels=levels, after=await read_for(bystanders, arguments.seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=4, help="levels on the way to them")
    parser.add_argument("--seconds", type=float, default=15, help="at each level")
    parser.add_argument("--drip", type=float, default=1.0, help="seconds between two bytes of the headers")
    parser.add_argument("--reads", type=float, default=50, help="a second, each over a new connection")
    run_attack("slow_requests", parser, attack, connections=lambda given: int(given.connections))
