"""What the benchmark's parts hand one another: loads, rates, rounds, findings, and why a line has no figure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


class LineFailedError(Exception):
    """What was to be measured did not work: a wrong answer, a program that ended, rows that differ."""


class NotSupportedError(Exception):
    """This system has nothing to measure here; the message says what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests sent without pause over `connections`: number n takes path n and token n, each list in turn."""

    port: int
    paths: Sequence[str]
    tokens: Sequence[str] = ("",)
    method: str = "GET"
    connections: int = 64
    seconds: float = 5.0
    #: The number of the first request.
    first: int = 0

    def request(self, number: int, body: bytes = b"") -> bytes:
        """Return request `number` as HTTP/1.1 wants it, with a JSON body if one is given."""
        token = self.tokens[number % len(self.tokens)]
        signed = f"Authorization: Bearer {token}\r\n" if token else ""
        path = self.paths[number % len(self.paths)]
        written = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{self.method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{signed}{written}\r\n"
        return head.encode("ascii") + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast requests were answered; those refused or broken are in `failed`."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int = 0
    #: Processor time per request of each group of processes, in microseconds.
    cpu_us: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    def figures(self, prefix: str = "") -> dict[str, float]:
        """Return it as named figures."""
        figures = {"per_second": self.per_second, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms}
        figures |= {f"{group}_cpu_us": micros for group, micros in self.cpu_us.items()}
        return {prefix + name: figure for name, figure in figures.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure should be: at least, or at most `bound`; judged only at the sizes named, if any are."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    sizes: tuple[str, ...] = ()

    def met(self, figures: Mapping[str, float]) -> bool:
        """Say whether a round's figures are as they should be."""
        figure = figures[self.figure]
        return figure >= (self.at_least or 0) and (self.at_most is None or figure <= self.at_most)

    def as_json(self) -> dict[str, Any]:
        """Return it for the record."""
        return asdict(self) | {"said": str(self)}

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        name = "" if self.figure == "ratio" else f"{self.figure} "
        return f"{name}{bound}" + (f" ({', '.join(self.sizes)})" if self.sizes else "")


def quantiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile of durations, in milliseconds."""
    if len(seconds) < 2:  # noqa: PLR2004 - one has no quantiles
        return (seconds[0] * 1000, seconds[0] * 1000) if seconds else (0.0, 0.0)
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000
