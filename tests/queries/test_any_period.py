"""Statistics of any period in any time zone, compared with counting each like by its local day with zoneinfo."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.ids import new_id
from app.queries.like_statistics import LikeStatistics
from app.queries.periods import Granularity, Period
from app.queries.reader import Reader
from tests.queries.test_like_statistics import assert_counts
from tests.support.read_rows import Given, ReadRows

#: Clocks that are turned by an hour or half an hour, in spring, in autumn, over midnight, for a month of fasting, or by
#: a whole day that is left out; and offsets of half and of three quarters of an hour, with and without that.
ZONES = (
    "UTC",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)
YEARS = (2024, 2025)
EARLIER = {"Pacific/Apia": (2011, 2012)}
HOUR, QUARTER, TICK = timedelta(hours=1), timedelta(minutes=15), timedelta(microseconds=1)
#: As near to the ends of the calendar as a moment can be that each zone has a local time for.
ENDS = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC))

every_database = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def turns(zone: ZoneInfo) -> list[datetime]:
    """Return the first instants, to the quarter-hour, at which the zone has another offset than before."""
    first, last = EARLIER.get(zone.key, YEARS)
    at, found = datetime(first, 1, 1, tzinfo=UTC), []
    while at.year <= last:
        if at.astimezone(zone).utcoffset() != (at + timedelta(days=1)).astimezone(zone).utcoffset():
            instant = at
            while instant.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                instant += QUARTER
            found.append(instant)
        at += timedelta(days=1)
    return found


def around(instant: datetime) -> list[datetime]:
    steps = [timedelta(0), QUARTER, 2 * QUARTER, 3 * QUARTER, HOUR, 24 * HOUR]
    return [instant + sign * step - tick for step in steps for sign in (1, -1) for tick in (timedelta(0), TICK)]


def midnights(zone: ZoneInfo, instant: datetime) -> list[datetime]:
    """Return the beginnings of the local days about an instant, as clocks show them the first time and the second."""
    day = instant.astimezone(zone).date()
    days = [day + timedelta(days=n) for n in (-1, 0, 1)]
    return [
        datetime(each.year, each.month, each.day, tzinfo=zone, fold=fold).astimezone(UTC)
        for each in days
        for fold in (0, 1)
    ]


def critical_moments() -> list[datetime]:
    found = set(ENDS)
    for name in ZONES:
        zone = ZoneInfo(name)
        for instant in turns(zone) or [datetime(YEARS[0], 7, 1, tzinfo=UTC)]:
            found.update(around(instant), *map(around, midnights(zone, instant)))
    return sorted(found)


MOMENTS = critical_moments()
DAYS = sorted({moment.date() for moment in MOMENTS})


def period(first: date, days: int, zone: str) -> Period:
    last = date.max if date.max - first < timedelta(days=days) else first + timedelta(days=days)
    return Period(first=first, last=last, zone=ZoneInfo(zone))


def before(day: date, days: int) -> date:
    return date.min if day - date.min < timedelta(days=days) else day - timedelta(days=days)


periods = st.builds(
    period,
    st.builds(before, st.sampled_from(DAYS), st.integers(0, 8)),
    st.one_of(st.integers(0, 9), st.integers(0, 70), st.integers(0, 3_650)),
    st.sampled_from(ZONES),
)


@pytest.fixture
async def likes(rows: ReadRows) -> list[Given]:
    """A like at each critical moment, for one of four posts of two authors."""
    authors = [await rows.profile("ada"), await rows.profile("bob")]
    posts = [(new_id(), authors[n % 2]) for n in range(4)]
    given = [(*posts[n % 4], moment) for n, moment in enumerate(MOMENTS)]
    for post, author in posts:
        await rows.sql.execute(
            "INSERT INTO read_post VALUES ($1, $2, 'ada', 'A title', 'Words', 'Words.', 1, 0, now(), now())",
            post,
            author,
        )
    await rows.given_likes(given)
    return given


@every_database
@given(asked=periods, granularity=st.sampled_from(Granularity), narrowed=st.sampled_from(["", "author", "post"]))
@example(asked=period(date.min, 30, "Pacific/Pago_Pago"), granularity=Granularity.DAY, narrowed="")
@example(asked=period(date.min, 30, "Pacific/Kiritimati"), granularity=Granularity.WEEK, narrowed="author")
@example(asked=period(date(9999, 12, 1), 30, "Pacific/Pago_Pago"), granularity=Granularity.DAY, narrowed="")
@example(asked=period(date(9999, 12, 1), 30, "Pacific/Kiritimati"), granularity=Granularity.MONTH, narrowed="post")
@example(asked=period(date(2011, 12, 28), 4, "Pacific/Apia"), granularity=Granularity.DAY, narrowed="")
@example(asked=period(date(2011, 12, 30), 0, "Pacific/Apia"), granularity=Granularity.DAY, narrowed="")
@example(asked=period(date(9990, 1, 1), 3_651, "Asia/Kathmandu"), granularity=Granularity.WEEK, narrowed="")
async def test_each_like_is_counted_on_its_local_day(
    likes: list[Given], reader: Reader, *, asked: Period, granularity: Granularity, narrowed: str
) -> None:
    post, author, _ = likes[0]
    author_id, post_id = (author if narrowed == "author" else None), (post if narrowed == "post" else None)
    query = LikeStatistics(period=asked, granularity=granularity, author_id=author_id, post_id=post_id)

    assert_counts(await query.fetch(reader), meant(likes, author_id, post_id), asked, granularity)


def meant(likes: list[Given], author_id: UUID | None, post_id: UUID | None) -> list[Given]:
    return [like for like in likes if like[0] == (post_id or like[0]) and like[1] == (author_id or like[1])]


def test_the_critical_moments_have_clocks_turned_both_ways_by_half_and_whole_hours_and_a_day_left_out() -> None:
    by = set()
    for name in ZONES:
        zone = ZoneInfo(name)
        for instant in turns(zone):
            after, earlier = (at.astimezone(zone).utcoffset() for at in (instant, instant - QUARTER))
            assert after is not None
            assert earlier is not None
            by.add(after - earlier)
    assert by == {HOUR, -HOUR, 2 * QUARTER, -2 * QUARTER, 24 * HOUR}
