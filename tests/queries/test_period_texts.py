"""Any text for a period: what is none is refused, and any other has a series without gaps."""

import re
from datetime import date, timedelta
from zoneinfo import available_timezones

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.queries.periods import Granularity

dates = st.one_of(st.dates(), st.dates(date(2020, 1, 1), date(2030, 12, 31))).map(date.isoformat)
texts = st.one_of(
    dates,
    dates,
    st.sampled_from(["0000-01-01", "2025-02-29", "2024-02-30", "20240301", "2024-3-1", "+2024-03-01", "12024-01-01"]),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True),
    st.text(max_size=12),
)
zone_names = st.one_of(
    st.sampled_from(sorted(available_timezones())),
    st.sampled_from(["", "utc", "Europe", "UTC+1", "EST5", "../UTC", "posixrules", "localtime", "Factory", "a" * 65]),
    st.text(max_size=10),
)


def day_of(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def is_acceptable(first: date | None, last: date | None, tz: str) -> bool:
    if tz not in available_timezones() - {"posixrules", "localtime", "Factory"}:
        return False
    if first is None or last is None or first > last:
        return False
    ten_years_later = (last.year - first.year, last.month, last.day) >= (10, first.month, first.day)
    return not ten_years_later


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begins=texts, ends=texts, days=st.integers(0, 3_700), tz=zone_names, granularity=st.sampled_from(Granularity))
async def test_a_period_that_is_none_is_refused_and_any_other_has_a_series_without_gaps(
    api: httpx.AsyncClient, *, begins: str, ends: str, days: int, tz: str, granularity: Granularity
) -> None:
    first = day_of(begins)
    if first is not None and days and date.max - first >= timedelta(days=days):
        ends = (first + timedelta(days=days)).isoformat()  # two dates at random make hardly ever a period
    last = day_of(ends)

    answer = await api.get(
        "/analytics/likes/", params={"from": begins, "to": ends, "tz": tz, "granularity": str(granularity)}
    )

    if not is_acceptable(first, last, tz):
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
        return
    assert answer.status_code == 200, answer.text
    assert first is not None
    assert last is not None
    every = [(first + timedelta(days=n)) for n in range((last - first).days + 1)]
    series = {
        Granularity.DAY: every,
        Granularity.WEEK: [day for day in every if day == first or day.weekday() == 0],
        Granularity.MONTH: [day for day in every if day == first or day.day == 1],
    }
    assert [point["date"] for point in answer.json()["series"]] == [day.isoformat() for day in series[granularity]]
