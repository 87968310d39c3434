"""Whether the machine was quiet: one and the same bare answer is asked for again and again through the whole run."""

import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from loadtests.bench.bare import serving
from loadtests.bench.client import Answer
from loadtests.bench.figures import Load, Rate
from loadtests.bench.generator import send

#: The fastest and the slowest probe may lie so far apart, as a share of the median.
SPREAD: Final = 0.15
#: So much of all processors may others take while something is measured.
OTHERS: Final = 0.05

_PROBE_SECONDS: Final = 1.0
_ANSWER: Final = Answer(200, [(b"content-length", b"2000"), (b"content-type", b"text/plain")], b"x" * 2000)


@dataclass(slots=True)
class Noise:
    """The probes so far, and the share of the processors that others took while each line was measured."""

    port: int
    probes: list[float] = field(default_factory=list)
    others: dict[str, float] = field(default_factory=dict)

    async def probe(self) -> Rate:
        """Measure the bare answer once."""
        rate = await send(Load(port=self.port, paths=["/"], seconds=_PROBE_SECONDS))
        self.probes.append(rate.per_second)
        return rate

    def saw(self, line: str, others: float) -> None:
        """Note what others took while a line was measured."""
        self.others[line] = max(others, self.others.get(line, 0.0))

    @property
    def spread(self) -> float:
        """How far the probes lie apart, as a share of their median."""
        return (max(self.probes) - min(self.probes)) / statistics.median(self.probes) if self.probes else 0.0

    @property
    def warnings(self) -> list[str]:
        """What to say of the machine; nothing when it was quiet."""
        said = []
        if self.spread > SPREAD:
            said.append(
                f"The same bare answer was sent {min(self.probes):,.0f} to {max(self.probes):,.0f} times a second "
                f"in this run (a spread of {self.spread:.0%}, above {SPREAD:.0%}): the machine was too noisy."
            )
        loud = {line: share for line, share in self.others.items() if share > OTHERS}
        if loud:
            shares = ", ".join(f"{line} {share:.0%}" for line, share in loud.items())
            said.append(f"Other processes took more than {OTHERS:.0%} of the processors meanwhile: {shares}.")
        return said

    def as_json(self) -> dict[str, Any]:
        """Return it for the record."""
        return {
            "probes_per_second": self.probes,
            "spread": self.spread,
            "others": self.others,
            "warnings": self.warnings,
        }


@asynccontextmanager
async def probing() -> AsyncIterator[Noise]:
    """Serve the probes' answer until the block ends."""
    async with serving(_ANSWER) as server:
        yield Noise(server.port)
