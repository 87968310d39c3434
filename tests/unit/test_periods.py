from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.queries.periods import (
    BEGINNING,
    END,
    Granularity,
    Period,
    buckets_of,
    day_begins,
    period_of,
    stretches_of,
    zone_of,
)

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
ZONES = (
    "UTC",
    "Africa/Cairo",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)
PERIODS = st.builds(
    lambda first, days, zone: Period(first=first, last=first + timedelta(days=days), zone=ZoneInfo(zone)),
    st.dates(date(1980, 1, 1), date(2035, 12, 31)),
    st.integers(0, 45),
    st.sampled_from(ZONES),
)


def around(zone: str, day: date) -> Period:
    return Period(first=day - timedelta(days=3), last=day + timedelta(days=3), zone=ZoneInfo(zone))


def bucket_by_calendar(day: date, period: Period, granularity: Granularity) -> date | None:
    """The first day of the bucket that a local day belongs to, as one would find it with a calendar."""
    if not period.first <= day <= period.last:
        return None
    starts = {
        Granularity.DAY: day,
        Granularity.WEEK: day - timedelta(days=day.weekday()),
        Granularity.MONTH: day.replace(day=1),
    }
    return max(starts[granularity], period.first)


@given(period=PERIODS, granularity=st.sampled_from(Granularity))
@example(around("America/Sao_Paulo", date(2018, 11, 4)), Granularity.DAY)  # midnight is skipped
@example(around("America/Sao_Paulo", date(2018, 2, 18)), Granularity.DAY)  # the hour before midnight comes twice
@example(around("America/Havana", date(2022, 11, 6)), Granularity.DAY)  # midnight comes twice
@example(around("Africa/Cairo", date(2024, 4, 26)), Granularity.WEEK)
@example(around("Asia/Gaza", date(2021, 3, 27)), Granularity.DAY)
@example(around("Australia/Lord_Howe", date(2024, 4, 7)), Granularity.DAY)  # half an hour
@example(around("Pacific/Apia", date(2011, 12, 30)), Granularity.DAY)  # the whole day is skipped
@example(around("Pacific/Apia", date(2011, 12, 30)), Granularity.MONTH)
def test_every_quarter_hour_is_in_the_bucket_of_its_local_day(period: Period, granularity: Granularity) -> None:
    buckets = buckets_of(period, granularity)
    at = datetime(period.first.year, period.first.month, period.first.day, tzinfo=UTC) - timedelta(days=2)
    while at.date() <= period.last + timedelta(days=2):
        number = bisect_right(buckets.bounds, at) - 1
        found = buckets.days[number] if 0 <= number < len(buckets.days) else None
        assert found == bucket_by_calendar(at.astimezone(period.zone).date(), period, granularity), at
        at += QUARTER


@given(period=PERIODS, granularity=st.sampled_from(Granularity))
def test_the_series_has_no_gap_and_begins_and_ends_with_the_period(period: Period, granularity: Granularity) -> None:
    buckets = buckets_of(period, granularity)
    assert len(buckets.bounds) == len(buckets.days) + 1
    assert list(buckets.bounds) == sorted(buckets.bounds)
    assert buckets.days[0] == period.first
    calendar = (period.first + timedelta(days=n) for n in range((period.last - period.first).days + 1))
    assert list(buckets.days) == list(dict.fromkeys(bucket_by_calendar(day, period, granularity) for day in calendar))


@given(period=PERIODS, granularity=st.sampled_from(Granularity))
def test_stretches_make_up_the_period_and_no_whole_day_is_cut(period: Period, granularity: Granularity) -> None:
    bounds = buckets_of(period, granularity).bounds
    stretches = stretches_of(bounds)
    wholes = [(midnight(first), midnight(after)) for first, after in stretches.wholes]
    spans = sorted([*wholes, *(part for part in stretches.parts if part[0] < part[1])])
    if bounds[0] == bounds[-1]:
        assert spans == []
        return
    assert (spans[0][0], spans[-1][1]) == (bounds[0], bounds[-1])
    assert [ends for _, ends in spans[:-1]] == [begins for begins, _ in spans[1:]]
    for begins, ends in wholes:
        for bound in bounds:
            assert not begins < bound < ends or bound == midnight(bound.date())


def test_in_utc_all_days_are_whole() -> None:
    period = Period(first=date(2026, 1, 1), last=date(2026, 12, 31), zone=ZoneInfo("UTC"))
    stretches = stretches_of(buckets_of(period, Granularity.WEEK).bounds)
    assert stretches.wholes == ((date(2026, 1, 1), date(2027, 1, 1)),)
    assert stretches.parts == ()


def test_a_day_that_begins_inside_a_jump_begins_where_the_jump_ends() -> None:
    assert day_begins(date(1919, 3, 31), ZoneInfo("America/Toronto")) == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_the_first_and_the_last_days_of_the_calendar_have_buckets(zone: str) -> None:
    first = Period(first=date.min, last=date(1, 1, 8), zone=ZoneInfo(zone))
    last = Period(first=date(9999, 12, 20), last=date.max, zone=ZoneInfo(zone))
    for granularity in Granularity:
        assert buckets_of(first, granularity).bounds[0] >= BEGINNING
        assert buckets_of(last, granularity).bounds[-1] == END
        assert stretches_of(buckets_of(last, granularity).bounds)


def test_a_week_begins_on_monday_and_the_first_and_last_are_cut() -> None:
    period = Period(first=date(2026, 3, 4), last=date(2026, 3, 17), zone=ZoneInfo("UTC"))
    assert buckets_of(period, Granularity.WEEK).days == (date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 16))


def test_the_default_period_is_thirty_days_up_to_today_where_one_is() -> None:
    period = period_of(None, None, tz="Asia/Kathmandu", now=NOW)
    assert (period.first, period.last) == (date(2026, 2, 1), date(2026, 3, 2))


def test_the_default_beginning_stays_within_the_calendar() -> None:
    assert period_of(None, date(1, 1, 3), tz="UTC", now=NOW).first == date.min


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2016, 3, 1), date(2026, 2, 28)),
        (date(2016, 2, 29), date(2026, 2, 28)),
        (date(9991, 1, 1), date.max),
    ],
)
def test_ten_years_are_allowed(first: date, last: date) -> None:
    assert period_of(first, last, tz="UTC", now=NOW).first == first


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2026, 3, 2), None),
        (date(2016, 3, 1), date(2026, 3, 1)),
        (date(2016, 2, 29), date(2026, 3, 1)),
        (date.min, date.max),
    ],
)
def test_a_period_backwards_or_too_long_is_refused(first: date, last: date | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        period_of(first, last, tz="UTC", now=NOW)
    assert refused.value.field == "from"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "europe/berlin",
        "Europe/Berlin ",
        "Europe/Berlin\x00",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "posixrules",
        "Europe",
        "UTC+1",
        "\ud800",
    ],
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        zone_of(name)
    assert refused.value.field == "tz"


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
