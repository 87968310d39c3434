"""The feed compared with sorting all posts of those followed, whichever way it finds them."""

from functools import partial
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.ids import new_id
from app.queries.home_feed import HomeFeed
from app.queries.reader import Reader
from projections.engine.checkpoint import Connection
from tests.support.pages import ids, walk
from tests.support.read_rows import ReadRows

AUTHORS = 12

# Author 1 wrote long ago and much, author 2 seldom, author 3 nothing, the others now and then; several at one moment.
_POSTS = """
WITH written AS (
    SELECT gen_random_uuid() AS id, n, CASE
        WHEN n < 70 THEN 1
        WHEN n % 40 = 0 THEN 2
        ELSE 4 + (n * 7919) % 9
    END AS author
    FROM generate_series(1, 300) n
),

posts AS (
    INSERT INTO read_post
    SELECT w.id, $1::uuid[][w.author], 'ada', 'A title', 'Words', 'Words.', 1, 0, at, at
    FROM written w
    CROSS JOIN LATERAL (SELECT timestamptz '2026-03-01 12:00:00+00' + interval '1 minute' * (w.n / 3) AS at) m
    RETURNING author_id
),

total AS (
    UPDATE read_post_total SET total = (SELECT count(*) FROM posts)
)

UPDATE read_profile r
SET post_count = p.number
FROM (SELECT author_id, count(*) AS number FROM posts GROUP BY author_id) p
WHERE r.user_id = p.author_id
"""

_FEED = "SELECT id FROM read_post WHERE author_id = ANY ($1) ORDER BY created_at DESC, id DESC"


@pytest.fixture
async def authors(sql: Connection, rows: ReadRows) -> list[UUID]:
    """Twelve authors and their posts."""
    written = [await rows.profile(f"author{n}") for n in range(AUTHORS)]
    await sql.execute(_POSTS.replace("$1::uuid[][", "($1::uuid[])["), written)
    return written


@given(followed=st.sets(st.integers(0, AUTHORS - 1)), limit=st.sampled_from((1, 2, 5, 20, 100)))
@example(followed={0}, limit=1)  # looks through the newest posts in vain
@example(followed={0, 1}, limit=2)  # finds too few there
@example(followed={1, 2}, limit=20)  # asks the authors at once
@example(followed=set(range(AUTHORS)), limit=100)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_feed_has_every_post_of_those_followed_once_newest_first(
    sql: Connection, reader: Reader, rows: ReadRows, authors: list[UUID], *, followed: set[int], limit: int
) -> None:
    chosen = [authors[n] for n in sorted(followed)]
    viewer = new_id()
    for author in chosen:
        await rows.subscription(viewer, author)
    expected = [row[0] for row in await sql.fetch(_FEED, chosen)]
    pages = await walk(reader, partial(HomeFeed, viewer_id=viewer, limit=limit))
    assert ids(pages) == expected
    assert {page.total for page in pages} == {len(expected)}
