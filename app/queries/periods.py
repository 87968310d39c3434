"""Periods of local days in a time zone, and the instants at which their buckets begin and end. Pure.

A local day begins at its first instant, wherever clocks are turned; a day that a zone skipped is empty. Instants
beyond the calendar are taken as its first and last, which asyncpg sends as -infinity and infinity.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from app.errors import InvalidInput

DEFAULT_DAYS: Final = 30
LONGEST_YEARS: Final = 10

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)

_DAY: Final = timedelta(days=1)
_NONE: Final = timedelta(0)
#: Listed among the zones of some systems, but these mean another thing on every machine.
_NOT_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})


class Granularity(StrEnum):
    """What one point of a series spans; a week begins on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Local days from `first` to `last`, both included."""

    first: date
    last: date
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Buckets:
    """Bucket i is named days[i], its first day in the period, and has the instants bounds[i] <= t < bounds[i + 1]."""

    days: tuple[date, ...]
    bounds: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Time as stretches [first day, day after) of whole UTC days, and of instants [begin, end) for the rest."""

    wholes: tuple[tuple[date, date], ...]
    parts: tuple[tuple[datetime, datetime], ...]


def period_of(first: date | None, last: date | None, *, tz: str, now: datetime) -> Period:
    """Fill in what is left out: up to today, and thirty days long.

    Raises InvalidInput for an unknown zone, a period that ends before it begins, or one of more than ten years.
    """
    zone = zone_of(tz)
    last = last or now.astimezone(zone).date()
    first = first or _days_before(last, DEFAULT_DAYS - 1)
    if first > last:
        raise InvalidInput("`from` is later than `to`, which is today when left out.", field="from")
    if last > _years_after(first, LONGEST_YEARS):
        raise InvalidInput("The period is longer than ten years. Ask for less.", field="from")
    return Period(first=first, last=last, zone=zone)


def zone_of(name: str) -> ZoneInfo:
    """Return the IANA time zone of exactly this name; raises InvalidInput when there is none."""
    if name not in _zone_names():
        raise InvalidInput("This is no IANA time zone. Send a name such as Europe/Berlin or UTC.", field="tz")
    return ZoneInfo(name)


@lru_cache(maxsize=64)
def buckets_of(period: Period, granularity: Granularity) -> Buckets:
    """Cut a period into buckets; the first and the last end where the period does."""
    days = [period.first]
    while (day := _next_bucket(days[-1], granularity)) is not None and day <= period.last:
        days.append(day)
    after = None if period.last == date.max else period.last + _DAY
    bounds = [day_begins(day, period.zone) for day in days]
    bounds.append(END if after is None else day_begins(after, period.zone))
    return Buckets(tuple(days), tuple(bounds))


@lru_cache(maxsize=8192)
def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) at which the zone's clocks show this day or, if they skip it, a later one."""
    midnight = datetime.combine(day, time(), zone)
    try:
        instant = midnight.astimezone(UTC)
    except OverflowError:
        return BEGINNING
    after = midnight.replace(fold=1)
    if (after.utcoffset() or _NONE) > (midnight.utcoffset() or _NONE):  # PEP 495: midnight is in a gap
        return _gap_ends(midnight, earlier=after.astimezone(UTC), later=instant)
    return instant


def stretches_of(bounds: Sequence[datetime]) -> Stretches:
    """Cut the time from the first to the last of `bounds` so that no bound lies inside a whole UTC day."""
    start, end = bounds[0], bounds[-1]
    parts: list[tuple[datetime, datetime]] = []
    for day in sorted({bound.date() for bound in bounds if bound != END and bound.time() != time()}):
        begins = datetime.combine(day, time(), UTC)
        ends = END if day == date.max else begins + _DAY
        if parts and parts[-1][1] == begins:
            begins = parts.pop()[0]
        parts.append((begins, ends))
    parts = [(max(begins, start), min(ends, end)) for begins, ends in parts]
    wholes: list[tuple[date, date]] = []
    for begins, ends in [*parts, (end, end)]:
        if start < begins:
            wholes.append((start.date(), begins.date()))
        start = ends
    return Stretches(wholes=tuple(wholes), parts=tuple(parts))


def _gap_ends(midnight: datetime, *, earlier: datetime, later: datetime) -> datetime:
    """Return the instant at which clocks jump over midnight, to the second; it lies between the two given."""
    zone, midnight = midnight.tzinfo, midnight.replace(tzinfo=None)
    seconds = range(int((later - earlier).total_seconds()) + 1)
    passed = bisect_left(
        seconds,
        True,
        key=lambda s: (earlier + timedelta(seconds=s)).astimezone(zone).replace(tzinfo=None) >= midnight,
    )
    return earlier + timedelta(seconds=passed)


def _next_bucket(day: date, granularity: Granularity) -> date | None:
    """Return the day on which the next bucket begins; None where the calendar ends."""
    try:
        if granularity is Granularity.DAY:
            return day + _DAY
        if granularity is Granularity.WEEK:
            return day + timedelta(days=7 - day.weekday())
        return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    except OverflowError:
        return None


def _days_before(day: date, days: int) -> date:
    return max(day, date.min + timedelta(days=days)) - timedelta(days=days)


def _years_after(first: date, years: int) -> date:
    """Return the last day of the years that begin with `first`."""
    if first.year + years > date.max.year:
        return date.max
    if (first.month, first.day) == (2, 29):
        return date(first.year + years, 2, 28)
    return first.replace(year=first.year + years) - _DAY


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_ZONES
