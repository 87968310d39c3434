"""Statistics of random periods compared with one SQL statement over the normalized tables."""

from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import Unavailable
from app.queries.like_statistics import LikeStatistics
from app.queries.periods import Granularity, Period
from app.queries.reader import Reader
from projections.engine.checkpoint import Connection
from projections.like_statistics import LIKE_STATISTICS
from projections.posts import POSTS

#: 300 posts of four authors, each liked some 40 times in the two years after it was published, soon or evenly.
_BLOG = """
SELECT setseed(0.42);
INSERT INTO users (id, username, username_key, email, hashed_password)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'u' || n, 'u' || n, n || '@example.org', ''
FROM generate_series(1, 200) n;
INSERT INTO posts (id, title, content, author_id)
SELECT
    ('00000000-0000-7000-9000-' || lpad(to_hex(n * 7919 % 300), 12, '0'))::uuid,
    'A title',
    'Words.',
    ('00000000-0000-7000-8000-' || lpad((1 + n % 4)::text, 12, '0'))::uuid
FROM generate_series(0, 299) n;
INSERT INTO likes (id, user_id, post_id, created_at)
SELECT
    gen_random_uuid(),
    u.id,
    p.id,
    timestamptz '2024-01-01 00:00:00+00'
    + interval '1 minute' * (400 * 1440 * p.began + 730 * 1440 * random() ^ {haste})
FROM (SELECT id, random() AS began, random() ^ {fame} AS fame FROM posts) p
CROSS JOIN users u
WHERE random() < 0.2 * (1 + {fame}) * p.fame;
"""

_SERIES = """
SELECT (l.created_at AT TIME ZONE $3)::date AS day, count(*) AS likes
FROM likes l
JOIN posts p ON p.id = l.post_id
WHERE (l.created_at AT TIME ZONE $3)::date BETWEEN $1 AND $2
  AND ($4::uuid IS NULL OR p.author_id = $4)
GROUP BY day
ORDER BY day
"""

_TOP = """
SELECT l.post_id, count(*) AS likes
FROM likes l
JOIN posts p ON p.id = l.post_id
WHERE (l.created_at AT TIME ZONE $3)::date BETWEEN $1 AND $2
  AND ($4::uuid IS NULL OR p.author_id = $4)
GROUP BY l.post_id
ORDER BY likes DESC, l.post_id DESC
LIMIT 10
"""

_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum"

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati")
DAYS = st.one_of(st.integers(0, 12), st.integers(0, 100), st.integers(0, 1_300))
AUTHORS = st.one_of(st.none(), st.integers(1, 5).map(lambda n: UUID(f"00000000-0000-7000-8000-{n:012}")))


@pytest.fixture(params=[(1, 0), (6, 3), (1, 8)], ids=["even", "soon", "famous"])
async def standing(request: pytest.FixtureRequest, sql: Connection) -> Connection:
    """A blog in the normalized tables, and the read tables as their definitions have it."""
    haste, fame = request.param
    await sql.execute(_BLOG.format(haste=haste, fame=fame))
    for table in (*LIKE_STATISTICS.tables, *POSTS.tables[:1]):
        names = [row[0] for row in await sql.fetch(_COLUMNS, table.view)]
        columns = ", ".join(names)
        await sql.execute(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {table.view}")
    await sql.execute("ANALYZE")
    return sql


@given(
    first=st.dates(date(2023, 12, 1), date(2027, 3, 1)),
    days=DAYS,
    zone=st.sampled_from(ZONES),
    author_id=AUTHORS,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_statistics_of_any_period_are_those_of_the_normalized_tables(
    standing: Connection, reader: Reader, *, first: date, days: int, zone: str, author_id: UUID | None
) -> None:
    period = Period(first=first, last=first + timedelta(days=days), zone=ZoneInfo(zone))
    query = LikeStatistics(period=period, granularity=Granularity.DAY, author_id=author_id)
    found = await query.fetch(reader)
    asked = (period.first, period.last, zone, author_id)
    series = {row["day"]: row["likes"] for row in await standing.fetch(_SERIES, *asked)}
    assert {point["date"]: point["likes"] for point in found.series if point["likes"]} == series
    assert found.total == sum(series.values())
    top = [tuple(row) for row in await standing.fetch(_TOP, *asked)]
    assert [(post["id"], post["likes"]) for post in found.top_posts] == top


async def test_two_digits_say_how_many_likes_there_are_at_least_and_at_most(sql: Connection) -> None:
    numbers = """
        SELECT n::int AS likes, two_digits(n::int)::bigint AS at_least
        FROM (
            SELECT generate_series(0, 5000)
            UNION ALL
            SELECT (1::bigint << e) + d FROM generate_series(3, 30) e CROSS JOIN generate_series(-2, 2) d
            UNION ALL
            SELECT 2147483647
        ) s (n)
    """
    wrong = f"""
        SELECT likes
        FROM ({numbers}) n
        WHERE likes > greatest(at_least * 3 / 2 - 1, 3)
           OR likes < at_least
    """
    assert await sql.fetch(wrong) == []
    assert await sql.fetchval(f"SELECT count(DISTINCT at_least) FROM ({numbers}) n WHERE likes <= 4096") == 22


async def test_statistics_are_refused_while_their_tables_are_of_an_earlier_version(
    sql: Connection, reader: Reader
) -> None:
    set_version = "UPDATE checkpoint SET version = $1 WHERE projection = 'like_statistics'"
    period = Period(first=date(2026, 3, 1), last=date(2026, 3, 1), zone=ZoneInfo("UTC"))
    query = LikeStatistics(period=period, granularity=Granularity.DAY)
    await sql.execute(set_version, 1)
    try:
        with pytest.raises(Unavailable, match="being built anew"):
            await query.fetch(reader)
    finally:
        await sql.execute(set_version, LIKE_STATISTICS.version)
    assert (await query.fetch(reader)).total == 0
