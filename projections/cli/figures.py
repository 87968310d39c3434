"""Numbers as people read them: short enough for a table of 80 columns."""

from math import inf
from typing import Final

# Below how much, in which unit, how written.
_COUNTS: Final = (
    (9_999.5, 1, ",.0f", ""),
    (999_500, 1e3, ".0f", " k"),
    (99.95e6, 1e6, ".1f", " M"),
    (inf, 1e6, ".0f", " M"),
)
_TIMES: Final = ((0.9995, 1e-3, ".0f", " ms"), (99.95, 1, ".1f", " s"))
_AGES: Final = (
    (99.5, 1, ".0f", " s"),
    (6_000, 60, ".0f", " m"),
    (172_800, 3_600, ".0f", " h"),
    (inf, 86_400, ".0f", " d"),
)


def count(number: float) -> str:
    """Return a number in six characters at most."""
    return _written(number, _COUNTS)


def took(seconds: float) -> str:
    """Return how long something takes, in six characters at most: milliseconds matter."""
    return _written(seconds, (*_TIMES, *_AGES))


def age(seconds: float) -> str:
    """Return how long ago something was, in five characters at most."""
    return _written(seconds, _AGES)


def some(number: int, thing: str) -> str:
    """Return a number of things: 1 event, 12 events."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _written(number: float, ways: tuple[tuple[float, float, str, str], ...]) -> str:
    number = max(number, 0)
    _, unit, how, name = next(way for way in ways if number < way[0])
    return f"{number / unit:{how}}{name}"
