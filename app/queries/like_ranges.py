"""Which rows of the roll-ups hold the likes of a period, and which lists its top posts are looked for in. Pure.

like_statistics calls it. Days are UTC days; [first, after) and [begins, ends) leave out their ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple

from app.queries.periods import END, stretches_of

#: Up to so many days, each day's list of posts is looked at, beyond that those of months and years.
_DAYS_LOOKED_AT: Final = 10
_MONTHS: Final = 12
_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)


class Part(NamedTuple):
    """A stretch of a cut day: its likes are added to a bucket and taken from another, from 1; 0 stands for none."""

    begins: datetime
    ends: datetime
    adds_to: int
    taken_from: int


@dataclass(frozen=True)
class SeriesRanges:
    """Bucket i has the days from days[i - 1] to before days[i], corrected by what the parts add and take."""

    days: tuple[date, ...]
    parts: tuple[Part, ...]

    @cached_property
    def values(self) -> list[Any]:
        """The arrays that statements take."""
        return [self.days, *_columns(self.parts, 4)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopRanges:
    """Lists that together have every post of the period, and the ranges that add up to exactly the period.

    Spans begin at a month or a year (12 months); a list may reach beyond the period.
    """

    listed_spans: tuple[tuple[int, date], ...]
    listed_days: tuple[date, ...]
    spans: tuple[tuple[int, date, date], ...]
    days: tuple[tuple[date, date], ...]
    parts: tuple[tuple[datetime, datetime], ...]

    @property
    def values(self) -> list[Any]:
        """The arrays that statements take, but for the listed days."""
        exact = [*_columns(self.spans, 3), *_columns(self.days, 2), *_columns(self.parts, 2)]
        return [*_columns(self.listed_spans, 2), *exact]


@lru_cache(maxsize=64)
def series_ranges(bounds: tuple[datetime, ...]) -> SeriesRanges:
    """Cut time at the bounds of buckets so that few quarter-hours are read.

    A day that bounds cut counts whole for the bucket that has most of it, and its other stretches are moved.
    """
    days = [bound.date() for bound in bounds]
    parts: list[Part] = []
    cutting = [number for number, bound in enumerate(bounds) if bound != END and bound.time() != time()]
    for day, group in groupby(cutting, key=lambda number: bounds[number].date()):
        cuts = list(group)
        times = [datetime.combine(day, time(), UTC), *(bounds[cut] for cut in cuts), _day_ends(day)]
        lengths = [after - before for before, after in pairwise(times)]
        main = lengths.index(max(lengths))
        buckets = [number if number < len(bounds) else 0 for number in range(cuts[0], cuts[-1] + 2)]
        for place, cut in enumerate(cuts):
            days[cut] = day if place < main or day == date.max else day + _DAY
        parts += [
            Part(times[place], times[place + 1], buckets[place], buckets[main])
            for place, length in enumerate(lengths)
            if place != main and length and buckets[place] + buckets[main]
        ]
    return SeriesRanges(tuple(days), tuple(parts))


def top_ranges(begins: datetime, ends: datetime, *, by_day: bool = True) -> TopRanges:
    """Say where a period's top posts are found; without `by_day`, in the lists of months and years alone."""
    if begins >= ends:
        return TopRanges(listed_spans=(), listed_days=(), spans=(), days=(), parts=())
    stretches = stretches_of((begins, ends))
    spans, days = [], []
    for first, after in stretches.wholes:
        within, around = _spans_and_days(first, after)
        spans += within
        days += around
    first, last = begins.date(), (ends - _INSTANT).date()
    short = by_day and (last - first).days < _DAYS_LOOKED_AT
    return TopRanges(
        listed_spans=() if short else tuple(_listed(first, last, spans)),
        listed_days=tuple(first + n * _DAY for n in range((last - first).days + 1)) if short else (),
        spans=tuple(spans),
        days=tuple(days),
        parts=stretches.parts,
    )


def _spans_and_days(first: date, after: date) -> tuple[list[tuple[int, date, date]], list[tuple[date, date]]]:
    """Cut whole days into years, months beside them, and the days that are left at the ends."""
    begin, end = _month(first) + (first.day > 1), _month(after)
    if begin >= end:
        return [], [(first, after)]
    cut = [(1, begin, end)]
    years = -(-begin // _MONTHS) * _MONTHS, end // _MONTHS * _MONTHS
    if years[0] < years[1]:
        cut = [(1, begin, years[0]), (_MONTHS, *years), (1, years[1], end)]
    spans = [(months, _first_day(low), _first_day(high)) for months, low, high in cut if low < high]
    days = [(low, high) for low, high in ((first, _first_day(begin)), (_first_day(end), after)) if low < high]
    return spans, days


def _listed(first: date, last: date, spans: Sequence[tuple[int, date, date]]) -> Iterator[tuple[int, date]]:
    """Give the spans that together have all days: years where they lie in the period as a whole, else months."""
    years = {
        year for months, low, high in spans if months == _MONTHS for year in range(_month(low), _month(high), _MONTHS)
    }
    for month in range(_month(first), _month(last) + 1):
        year = month // _MONTHS * _MONTHS
        if year not in years:
            yield 1, _first_day(month)
        elif month == year:
            yield _MONTHS, _first_day(month)


def _month(day: date) -> int:
    return day.year * _MONTHS + day.month - 1


def _first_day(month: int) -> date:
    return date(month // _MONTHS, month % _MONTHS + 1, 1)


def _day_ends(day: date) -> datetime:
    return END if day == date.max else datetime.combine(day + _DAY, time(), UTC)


def _columns(rows: Sequence[Sequence[Any]], number: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(number)]
