"""Runs the lines, each twice, and gathers what they found; a line that fails has no figures, and the others go on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import LineFailedError, NotSupportedError

#: Nobody knows how many requests a line had sent when it failed; no more than so many.
_LOST: Final = 1_000_000


@dataclass(slots=True)
class Finding:
    """What the rounds of a line came to, or why it was not measured."""

    line: Line
    size: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    unsupported: str = ""
    failure: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the aims were met, in both rounds, in one or in none."""
        if self.failure or self.unsupported:
            return "failed" if self.failure else "not supported"
        aims = [aim for aim in self.line.aims if not aim.sizes or self.size in aim.sizes]
        aims = [aim for aim in aims if all(aim.figure in figures for figures in self.rounds)]
        if not aims:
            return "not judged"
        met = [all(aim.met(figures) for aim in aims) for figures in self.rounds]
        return "met" if all(met) else "met once" if any(met) else "missed"

    def as_json(self) -> dict[str, Any]:
        """Return it for the record."""
        line = self.line
        return {
            "name": line.name,
            "title": line.title,
            "limit": line.limit,
            "flat": line.flat,
            "aims": [aim.as_json() for aim in line.aims],
            "rounds": self.rounds,
            "verdict": self.verdict,
            "unsupported": self.unsupported,
            "failure": self.failure,
        }


async def run(bench: Bench, lines: Sequence[Line], *, rounds: int) -> list[Finding]:
    """Measure the lines; whether one failed stands in its finding."""
    bench.memory_before = bench.system.processes.megabytes()
    findings = [Finding(line, bench.size.name) for line in lines]
    for finding in findings:
        for number in range(rounds):
            if not (finding.unsupported or finding.failure):
                await _round(bench, finding, number)
    return findings


async def _round(bench: Bench, finding: Finding, number: int) -> None:
    bench.line = finding.line.name
    bench.report.begin(f"{finding.line.title}, run {number + 1}", None, "requests")
    try:
        await bench.noise.probe()
        await bench.caught_up()
        figures = await finding.line.measure(bench)
    except NotSupportedError as error:
        finding.unsupported = str(error)
        return
    except (LineFailedError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        finding.failure, finding.rounds = str(error), []
        bench.sent += _LOST
        bench.report.note(f"{finding.line.name} FAILED: {error}")
        return
    finding.rounds.append(figures)
    ratio = (
        f"ratio {figures['ratio']:.3g}"
        if "ratio" in figures
        else ", ".join(f"{name} {figure:.3g}" for name, figure in figures.items())
    )
    bench.report.note(f"{finding.line.name}: {ratio}")
