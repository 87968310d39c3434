"""The statements of like_statistics: one for all posts, one for an author's, one for a single post.

$1 is the scope's id. $2 to $6 are SeriesRanges.values of app.queries.like_ranges, $7 to $15
TopRanges.values, and $16 for all posts its listed days. Bucket 0 of the answer is the version of the tables.
"""

from typing import Final

# OFFSET 0 keeps each stretch one range of an index, whatever the planner believes.
_SERIES: Final = """
    SELECT s.bucket, sum(s.likes)::bigint AS likes
    FROM (
        SELECT width_bucket(r.day, $2::date[]) AS bucket, r.likes
        FROM read_likes_daily r
        WHERE {scope}
          AND r.day >= ($2::date[])[1]
          AND r.day < ($2::date[])[cardinality($2::date[])]
        UNION ALL
        SELECT m.bucket, m.likes
        FROM unnest($3::timestamptz[], $4::timestamptz[], $5::int[], $6::int[]) w (begins, ends, adds_to, taken_from)
        CROSS JOIN LATERAL (
            SELECT sum(r.likes) AS likes
            FROM read_likes_quarter_hourly r
            WHERE {scope}
              AND r.quarter_hour >= w.begins
              AND r.quarter_hour < w.ends
        ) q
        CROSS JOIN LATERAL (VALUES (w.adds_to, q.likes), (w.taken_from, -q.likes)) m (bucket, likes)
        WHERE m.bucket > 0
    ) s
    GROUP BY s.bucket
    HAVING sum(s.likes) <> 0
""".strip()

#: The likes of a candidate in exactly the period.
_EXACT: Final = """
                SELECT coalesce(sum(g.likes), 0) AS likes
                FROM (
                    SELECT s.likes
                    FROM unnest($9::int[], $10::date[], $11::date[]) w (months, first, after)
                    CROSS JOIN LATERAL (
                        SELECT r.likes
                        FROM read_likes_by_span r
                        WHERE r.post_id = c.post_id
                          AND r.months = w.months
                          AND r.first_day >= w.first
                          AND r.first_day < w.after
                        OFFSET 0
                    ) s
                    UNION ALL
                    SELECT d.likes
                    FROM unnest($12::date[], $13::date[]) w (first, after)
                    CROSS JOIN LATERAL (
                        SELECT r.likes
                        FROM read_likes_daily r
                        WHERE r.scope = 'post'
                          AND r.scope_id = c.post_id
                          AND r.day >= w.first
                          AND r.day < w.after
                        OFFSET 0
                    ) d
                    UNION ALL
                    SELECT q.likes
                    FROM unnest($14::timestamptz[], $15::timestamptz[]) w (begins, ends)
                    CROSS JOIN LATERAL (
                        SELECT r.likes
                        FROM read_likes_quarter_hourly r
                        WHERE r.scope = 'post'
                          AND r.scope_id = c.post_id
                          AND r.quarter_hour >= w.begins
                          AND r.quarter_hour < w.ends
                        OFFSET 0
                    ) q
                ) g
""".strip()

_LISTED_SPANS: Final = """
            SELECT w.number, s.post_id, s.likes, s.at_least
            FROM unnest($7::int[], $8::date[]) WITH ORDINALITY w (months, first_day, number)
            CROSS JOIN LATERAL (
                SELECT r.post_id, r.likes, r.at_least
                FROM read_likes_by_span r
                WHERE {posts}
                  AND r.months = w.months
                  AND r.first_day = w.first_day
                ORDER BY r.at_least DESC
                LIMIT a.depth
            ) s
""".strip()

_LISTED_DAYS: Final = """
            UNION ALL
            SELECT w.number, d.post_id, d.likes, d.at_least
            FROM unnest($16::date[]) WITH ORDINALITY w (day, number)
            CROSS JOIN LATERAL (
                SELECT r.scope_id AS post_id, r.likes, r.at_least
                FROM read_likes_daily r
                WHERE r.scope = 'post'
                  AND r.day = w.day
                ORDER BY r.at_least DESC
                LIMIT a.depth
            ) d
""".strip()

# The threshold algorithm (Fagin, Lotem, Naor 2003). Of each list the upper entries are read. A post that is in none of
# them has at most as many likes in the period as the last entries read could have together: if the tenth of those
# found has more, it is settled, and else all is done again, deeper. Among those found, only posts whose entries and
# last entries together reach the tenth are added up exactly.
_TOP: Final = """
attempt AS (
    SELECT 4::bigint AS depth, NULL::uuid[] AS post_ids, NULL::bigint[] AS likes, false AS settled
    UNION ALL
    SELECT n.depth, n.post_ids, n.likes, n.settled
    FROM (SELECT p.depth * 8 AS depth FROM attempt p WHERE NOT p.settled) a
    CROSS JOIN LATERAL (
        WITH entry AS MATERIALIZED (
            {listed}
        ),

        list AS MATERIALIZED (
            SELECT
                e.number,
                CASE WHEN count(*) < a.depth THEN 0 ELSE greatest(min(e.at_least)::bigint * 3 / 2 - 1, 3) END AS unread
            FROM entry e
            GROUP BY e.number
        ),

        unread AS MATERIALIZED (
            SELECT coalesce(sum(l.unread), 0)::bigint AS likes FROM list l
        ),

        candidate AS MATERIALIZED (
            SELECT
                e.post_id,
                sum(e.likes) AS read,
                sum(e.likes - l.unread) + (SELECT u.likes FROM unread u) AS at_most
            FROM entry e
            JOIN list l USING (number)
            GROUP BY e.post_id
        ),

        likely AS MATERIALIZED (
            SELECT c.post_id, t.likes
            FROM (SELECT c.post_id FROM candidate c ORDER BY c.read DESC LIMIT 20) c
            CROSS JOIN LATERAL (
                {exact}
            ) t
        ),

        tenth AS MATERIALIZED (
            SELECT greatest((SELECT t.likes FROM likely t ORDER BY t.likes DESC LIMIT 1 OFFSET 9), 1) AS likes
        ),

        settled AS MATERIALIZED (
            SELECT u.likes < t.likes AS it FROM unread u CROSS JOIN tenth t
        ),

        best AS (
            SELECT b.post_id, b.likes
            FROM (
                SELECT t.post_id, t.likes
                FROM likely t
                UNION ALL
                SELECT c.post_id, t.likes
                FROM candidate c
                CROSS JOIN LATERAL (
                    {exact}
                ) t
                WHERE (SELECT s.it FROM settled s)
                  AND c.at_most >= (SELECT t.likes FROM tenth t)
                  AND c.post_id NOT IN (SELECT t.post_id FROM likely t)
            ) b
            WHERE b.likes > 0
            ORDER BY b.likes DESC, b.post_id DESC
            LIMIT 10
        )

        SELECT
            a.depth,
            array_agg(b.post_id) AS post_ids,
            array_agg(b.likes)::bigint[] AS likes,
            (SELECT s.it FROM settled s) AS settled
        FROM best b
    ) n
),

top AS (
    SELECT t.post_id, t.likes
    FROM attempt a
    CROSS JOIN LATERAL unnest(a.post_ids, a.likes) t (post_id, likes)
    WHERE a.settled
)
""".strip()

_TOP_OF_POST: Final = """
top AS (
    SELECT $1::uuid AS post_id, sum(s.likes)::bigint AS likes FROM series s HAVING sum(s.likes) > 0
)
""".strip()

_STATISTICS: Final = """
WITH RECURSIVE series AS (
    {series}
),

{top}

SELECT NULL AS bucket, t.likes, p.id AS post_id, p.title, p.author_id, p.author_username
FROM top t
JOIN read_post p ON p.id = t.post_id
UNION ALL
SELECT s.bucket, s.likes, NULL, NULL, NULL, NULL
FROM series s
UNION ALL
SELECT 0, c.version, NULL, NULL, NULL, NULL
FROM checkpoint c
WHERE c.projection = 'like_statistics'
ORDER BY likes DESC, post_id DESC
"""


def _statement(*, scope: str, top: str, listed: str = "") -> str:
    return _STATISTICS.format(series=_SERIES.format(scope=scope), top=top.format(listed=listed, exact=_EXACT))


OF_ALL: Final = _statement(
    scope="r.scope = 'all' AND r.scope_id = $1::uuid",
    top=_TOP,
    listed=f"{_LISTED_SPANS.format(posts='true')}\n            {_LISTED_DAYS}",
)

OF_AUTHOR: Final = _statement(
    scope="r.scope = 'author' AND r.scope_id = $1::uuid",
    top=_TOP,
    listed=_LISTED_SPANS.format(posts="r.author_id = $1::uuid"),
)

#: $7 is the author that the post must have, or NULL.
OF_POST: Final = _statement(
    scope="""r.scope = 'post'
          AND r.scope_id = $1::uuid
          AND (
              $7::uuid IS NULL
              OR EXISTS (SELECT FROM read_post p WHERE p.id = $1::uuid AND p.author_id = $7::uuid)
          )""",
    top=_TOP_OF_POST,
)
