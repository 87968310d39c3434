"""Statistics compared with counting each like by its local day."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.ids import new_id
from app.queries.like_statistics import LikeStatistics, Statistics
from app.queries.periods import Granularity, Period
from app.queries.reader import Reader
from tests.support.read_rows import Given, ReadRows

UTC_ZONE = ZoneInfo("UTC")


def expected_series(likes: list[Given], period: Period, granularity: Granularity) -> dict[date, int]:
    series: Counter[date] = Counter()
    for n in range((period.last - period.first).days + 1):
        series[_bucket(period.first + timedelta(days=n), period, granularity)] += 0
    for _, _, at in likes:
        day = at.astimezone(period.zone).date()
        if period.first <= day <= period.last:
            series[_bucket(day, period, granularity)] += 1
    return dict(series)


def expected_top(likes: list[Given], period: Period) -> list[tuple[UUID, int]]:
    counts = Counter(post for post, _, at in likes if period.first <= at.astimezone(period.zone).date() <= period.last)
    return sorted(counts.items(), key=lambda item: (item[1], item[0]), reverse=True)[:10]


def _bucket(day: date, period: Period, granularity: Granularity) -> date:
    starts = {
        Granularity.DAY: day,
        Granularity.WEEK: day - timedelta(days=day.weekday()),
        Granularity.MONTH: day.replace(day=1),
    }
    return max(starts[granularity], period.first)


def assert_counts(found: Statistics, likes: list[Given], period: Period, granularity: Granularity) -> None:
    series = expected_series(likes, period, granularity)
    assert {point["date"]: point["likes"] for point in found.series} == series
    assert found.total == sum(series.values())
    assert {type(count["likes"]) for count in (*found.series, *found.top_posts)} == {int}
    assert [(post["id"], post["likes"]) for post in found.top_posts] == expected_top(likes, period)


async def scattered(rows: ReadRows, *, around: datetime, posts: int, likes: int) -> list[Given]:
    """Likes within five weeks of a moment, most of them for few posts, aggregated."""
    random = Random(around.isoformat())
    authors = [await rows.profile("ada"), await rows.profile("bob")]
    written = [(new_id(), authors[n % 2]) for n in range(posts)]
    given = [
        (*written[int(posts * random.random() ** 3)], around + timedelta(seconds=random.uniform(-35, 35) * 86_400))
        for _ in range(likes)
    ]
    counts = Counter(post for post, _, _ in given)
    await rows.sql.executemany(
        "INSERT INTO read_post VALUES ($1, $2, 'ada', 'A title', 'Words', 'Words.', 1, $3, now(), now())",
        [(post, author, counts[post]) for post, author in written],
    )
    await rows.given_likes(given)
    return given


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("UTC", datetime(2026, 3, 1, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 3, 1, tzinfo=UTC)),
        ("America/Sao_Paulo", datetime(2018, 11, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2024, 4, 7, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
    ],
)
async def test_statistics_count_each_like_on_its_local_day(
    reader: Reader, rows: ReadRows, zone: str, around: datetime
) -> None:
    likes = await scattered(rows, around=around, posts=40, likes=1_500)
    for before, after, granularity in (
        (20, 20, "day"),
        (3, 3, "week"),
        (34, 20, "week"),
        (33, 33, "month"),
        (0, 0, "day"),
    ):
        period = Period(
            first=around.date() - timedelta(days=before),
            last=around.date() + timedelta(days=after),
            zone=ZoneInfo(zone),
        )
        query = LikeStatistics(period=period, granularity=Granularity(granularity))
        assert_counts(await query.fetch(reader), likes, period, query.granularity)


@pytest.mark.parametrize("days", [1, 60])
async def test_the_top_posts_are_exact_however_many_posts_are_liked_alike(
    reader: Reader, rows: ReadRows, days: int
) -> None:
    around = datetime(2026, 3, 1, tzinfo=UTC)
    likes = await scattered(rows, around=around, posts=150, likes=3_000)
    period = Period(first=around.date(), last=around.date() + timedelta(days=days), zone=ZoneInfo("Asia/Kathmandu"))
    query = LikeStatistics(period=period, granularity=Granularity.MONTH)
    assert_counts(await query.fetch(reader), likes, period, Granularity.MONTH)


async def test_an_author_and_a_post_narrow_what_is_counted(reader: Reader, rows: ReadRows) -> None:
    around = datetime(2026, 3, 1, tzinfo=UTC)
    likes = await scattered(rows, around=around, posts=30, likes=400)
    period = Period(first=date(2026, 2, 10), last=date(2026, 3, 9), zone=ZoneInfo("America/Havana"))
    post, author, _ = likes[0]
    stranger = next(other for _, other, _ in likes if other != author)

    async def ask(author_id: UUID | None, post_id: UUID | None) -> Statistics:
        query = LikeStatistics(period=period, granularity=Granularity.DAY, author_id=author_id, post_id=post_id)
        return await query.fetch(reader)

    of_author = [like for like in likes if like[1] == author]
    of_post = [like for like in likes if like[0] == post]
    assert_counts(await ask(author, None), of_author, period, Granularity.DAY)
    assert_counts(await ask(None, post), of_post, period, Granularity.DAY)
    assert_counts(await ask(author, post), of_post, period, Granularity.DAY)
    for nothing in (await ask(stranger, post), await ask(new_id(), None), await ask(None, new_id())):
        assert_counts(nothing, [], period, Granularity.DAY)


async def test_a_top_post_is_shown_with_title_and_author(reader: Reader, rows: ReadRows) -> None:
    ada = await rows.profile("ada")
    post = await rows.post(ada, "Engines", likes=1)
    await rows.given_likes([(post, ada, datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC))])
    period = Period(first=date(2026, 3, 1), last=date(2026, 3, 1), zone=UTC_ZONE)
    found = await LikeStatistics(period=period, granularity=Granularity.DAY).fetch(reader)
    assert found == Statistics(
        total=1,
        series=[{"date": date(2026, 3, 1), "likes": 1}],
        top_posts=[{"id": post, "title": "Engines", "author": {"id": ada, "username": "ada"}, "likes": 1}],
    )


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_the_ends_of_the_calendar_can_be_asked_for(reader: Reader, rows: ReadRows, zone: str) -> None:
    await scattered(rows, around=datetime(2026, 3, 1, tzinfo=UTC), posts=2, likes=5)
    for first, last in ((date.min, date(9, 1, 1)), (date(9995, 1, 1), date.max), (date.max, date.max)):
        period = Period(first=first, last=last, zone=ZoneInfo(zone))
        found = await LikeStatistics(period=period, granularity=Granularity.MONTH).fetch(reader)
        assert (found.total, found.top_posts) == (0, [])
