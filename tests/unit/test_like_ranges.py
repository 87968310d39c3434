from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.queries.like_ranges import TopRanges, series_ranges, top_ranges
from app.queries.periods import Granularity, Period, buckets_of
from tests.unit.test_periods import PERIODS, ZONES, around

STEP = timedelta(minutes=15)
LONG_PERIODS = st.builds(
    lambda first, days, zone: Period(first=first, last=first + timedelta(days=days), zone=ZoneInfo(zone)),
    st.dates(date(1999, 12, 1), date(2008, 3, 31)),
    st.one_of(st.integers(0, 70), st.integers(300, 1_200)),
    st.sampled_from(ZONES),
)


def quarter_hours(begins: datetime, ends: datetime) -> Iterator[datetime]:
    while begins < ends:
        yield begins
        begins += STEP


def spans_of(ranges: TopRanges) -> list[tuple[date, date]]:
    """The days of the spans that are added up, as ranges."""
    return [(first, after) for _, first, after in ranges.spans]


@given(period=PERIODS, granularity=st.sampled_from(Granularity))
@example(around("America/Sao_Paulo", date(2018, 11, 4)), Granularity.DAY)
@example(around("America/Havana", date(2022, 11, 6)), Granularity.DAY)
@example(around("Pacific/Apia", date(2011, 12, 30)), Granularity.DAY)
def test_days_and_parts_put_every_quarter_hour_into_its_bucket_once(period: Period, granularity: Granularity) -> None:
    bounds = buckets_of(period, granularity).bounds
    ranges = series_ranges(bounds)
    assert list(ranges.days) == sorted(ranges.days)
    for at in quarter_hours(bounds[0] - timedelta(days=1), bounds[-1] + timedelta(days=1)):
        counted = Counter({bisect_right(ranges.days, at.date()): 1})
        for part in ranges.parts:
            if part.begins <= at < part.ends:
                counted[part.adds_to] += 1
                counted[part.taken_from] -= 1
        inside = {bucket: times for bucket, times in counted.items() if times and 0 < bucket < len(bounds)}
        bucket = bisect_right(bounds, at)
        assert inside == ({bucket: 1} if 0 < bucket < len(bounds) else {}), at


def test_a_year_of_local_days_needs_few_quarter_hours() -> None:
    period = Period(first=date(2025, 1, 1), last=date(2025, 12, 31), zone=ZoneInfo("Europe/Berlin"))
    parts = series_ranges(buckets_of(period, Granularity.DAY).bounds).parts
    assert sum((part.ends - part.begins for part in parts), timedelta()) < timedelta(days=366 / 12)


@given(period=LONG_PERIODS)
@example(Period(first=date(2001, 1, 1), last=date(2003, 12, 31), zone=ZoneInfo("UTC")))
def test_spans_days_and_parts_are_the_period_and_lists_have_all_of_it(period: Period) -> None:
    bounds = buckets_of(period, Granularity.MONTH).bounds
    ranges = top_ranges(bounds[0], bounds[-1])
    if bounds[0] == bounds[-1]:
        assert ranges == TopRanges(listed_spans=(), listed_days=(), spans=(), days=(), parts=())
        return
    days: Counter[date] = Counter()
    for first, after in [*spans_of(ranges), *ranges.days]:
        days.update(first + timedelta(days=n) for n in range((after - first).days))
    exact = sum(days.values()) * timedelta(days=1) + sum((ends - begins for begins, ends in ranges.parts), timedelta())
    assert exact == bounds[-1] - bounds[0]
    assert not days or max(days.values()) == 1
    touched = {bounds[0].date(), (bounds[-1] - STEP).date(), *days, *(begins.date() for begins, _ in ranges.parts)}
    listed = [(months, first.year * 12 + first.month) for months, first in ranges.listed_spans]
    for day in touched:
        month = day.year * 12 + day.month
        lists = [first for months, first in listed if first <= month < first + months]
        assert len(lists) + (day in ranges.listed_days) == 1, day


def test_years_stand_for_their_months_where_they_lie_in_the_period() -> None:
    ranges = top_ranges(datetime(2019, 11, 5, 22, tzinfo=UTC), datetime(2022, 2, 3, 22, tzinfo=UTC))
    assert ranges.spans == (
        (1, date(2019, 12, 1), date(2020, 1, 1)),
        (12, date(2020, 1, 1), date(2022, 1, 1)),
        (1, date(2022, 1, 1), date(2022, 2, 1)),
    )
    assert ranges.days == ((date(2019, 11, 6), date(2019, 12, 1)), (date(2022, 2, 1), date(2022, 2, 3)))
    assert [len(ranges.parts), len(ranges.listed_days)] == [2, 0]
    assert ranges.listed_spans == (
        (1, date(2019, 11, 1)),
        (1, date(2019, 12, 1)),
        (12, date(2020, 1, 1)),
        (12, date(2021, 1, 1)),
        (1, date(2022, 1, 1)),
        (1, date(2022, 2, 1)),
    )


def test_a_few_days_are_looked_for_in_their_own_lists() -> None:
    begins, ends = datetime(2026, 2, 26, 23, tzinfo=UTC), datetime(2026, 3, 1, 23, tzinfo=UTC)
    days = (date(2026, 2, 26), date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1))
    assert (top_ranges(begins, ends).listed_days, top_ranges(begins, ends).listed_spans) == (days, ())
    by_span = top_ranges(begins, ends, by_day=False)
    assert (by_span.listed_days, by_span.listed_spans) == ((), ((1, date(2026, 2, 1)), (1, date(2026, 3, 1))))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_the_first_and_the_last_days_of_the_calendar_have_ranges(zone: str) -> None:
    for first, last in ((date.min, date(1, 3, 8)), (date(9990, 12, 20), date.max), (date.max, date.max)):
        for granularity in Granularity:
            bounds = buckets_of(Period(first=first, last=last, zone=ZoneInfo(zone)), granularity).bounds
            assert len(series_ranges(bounds).days) == len(bounds)
            assert top_ranges(bounds[0], bounds[-1]).values
