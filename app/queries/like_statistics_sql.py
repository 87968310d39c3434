"""The statements of like_statistics: one for all posts, one for an author's, one for a single post.

$1 is the scope's id, $2 the boundaries of the buckets as instants. $3 to $6 are the period cut at all boundaries, as
whole UTC days and as instants; $7 to $10 the period cut at its two ends only.
"""

from typing import Final

# Whole UTC days come from the daily table, and only what boundaries cut off is counted by the quarter-hour, on which
# every zone's boundaries lie. OFFSET 0 keeps each stretch one range of an index, whatever the planner believes.
_SERIES: Final = """
    SELECT s.bucket, sum(s.likes) AS likes
    FROM (
        SELECT d.bucket, d.likes
        FROM unnest($3::date[], $4::date[]) w (first, after)
        CROSS JOIN LATERAL (
            SELECT width_bucket(r.day::timestamp AT TIME ZONE 'UTC', $2::timestamptz[]) AS bucket, r.likes
            FROM read_likes_daily r
            WHERE {scope}
              AND r.day >= w.first
              AND r.day < w.after
            OFFSET 0
        ) d
        UNION ALL
        SELECT q.bucket, q.likes
        FROM unnest($5::timestamptz[], $6::timestamptz[]) w (begins, ends)
        CROSS JOIN LATERAL (
            SELECT width_bucket(r.quarter_hour, $2::timestamptz[]) AS bucket, r.likes
            FROM read_likes_quarter_hourly r
            WHERE {scope}
              AND r.quarter_hour >= w.begins
              AND r.quarter_hour < w.ends
            OFFSET 0
        ) q
    ) s
    GROUP BY s.bucket
""".strip()

#: What posts got in the period, to be summed up by post.
_GIVEN: Final = """
            SELECT d.post_id, d.likes
            FROM unnest($7::date[], $8::date[]) w (first, after)
            CROSS JOIN LATERAL (
                SELECT r.scope_id AS post_id, r.likes
                FROM read_likes_daily r
                WHERE r.scope = 'post'
                  AND {posts}
                  AND r.day >= w.first
                  AND r.day < w.after
                OFFSET 0
            ) d
            UNION ALL
            SELECT q.post_id, q.likes
            FROM unnest($9::timestamptz[], $10::timestamptz[]) w (begins, ends)
            CROSS JOIN LATERAL (
                SELECT r.scope_id AS post_id, r.likes
                FROM read_likes_quarter_hourly r
                WHERE r.scope = 'post'
                  AND {posts}
                  AND r.quarter_hour >= w.begins
                  AND r.quarter_hour < w.ends
                OFFSET 0
            ) q
""".strip()

# No post got more likes in the period than it has in all. So where ten of the hundred most liked posts got more in
# the period than the next post has in all, they are the ten; otherwise every post of the period is counted. The
# ranking bounds the statistics only while both stand at one snapshot.
_STATISTICS: Final = """
WITH series AS (
    {series}
),

candidate AS MATERIALIZED (
    SELECT k.post_id, k.like_count, row_number() OVER (ORDER BY k.like_count DESC, k.post_id DESC) AS place
    FROM read_post_rank k
    WHERE {ranked}
    ORDER BY k.like_count DESC, k.post_id DESC
    LIMIT 101
),

leader AS MATERIALIZED (
    SELECT c.post_id, g.likes
    FROM candidate c
    CROSS JOIN LATERAL (
        SELECT sum(s.likes) AS likes
        FROM (
            {given_to_candidate}
        ) s
    ) g
    WHERE c.place <= 100
      AND g.likes > 0
    ORDER BY g.likes DESC, c.post_id DESC
    LIMIT 10
),

verdict AS MATERIALIZED (
    SELECT
        (
            (SELECT count(*) <= 100 FROM candidate)
            OR (SELECT count(*) = 10 AND min(likes) > (SELECT min(like_count) FROM candidate) FROM leader)
        )
        AND (
            SELECT count(*) = 2 AND count(DISTINCT c.snapshot::text) = 1
            FROM checkpoint c
            WHERE c.projection IN ('ranking', 'like_statistics')
        ) AS leaders_lead
),

top AS (
    SELECT l.post_id, l.likes
    FROM leader l
    WHERE (SELECT leaders_lead FROM verdict)
    UNION ALL
    (
        SELECT s.post_id, sum(s.likes) AS likes
        FROM (
            {given}
        ) s
        WHERE NOT (SELECT leaders_lead FROM verdict)
        GROUP BY s.post_id
        ORDER BY likes DESC, s.post_id DESC
        LIMIT 10
    )
)

SELECT s.bucket, s.likes, NULL AS post_id, NULL AS title, NULL AS author_id, NULL AS author_username
FROM series s
UNION ALL
SELECT NULL AS bucket, t.likes, p.id AS post_id, p.title, p.author_id, p.author_username
FROM top t
JOIN read_post p ON p.id = t.post_id
ORDER BY likes DESC, post_id DESC
"""


def _statement(*, scope: str, posts: str, ranked: str) -> str:
    return _STATISTICS.format(
        series=_SERIES.format(scope=scope),
        ranked=ranked,
        given_to_candidate=_GIVEN.format(posts="r.scope_id = c.post_id"),
        given=_GIVEN.format(posts=posts),
    )


OF_ALL: Final = _statement(
    scope="r.scope = 'all' AND r.scope_id = $1::uuid",
    posts="true",
    ranked="true",
)

OF_AUTHOR: Final = _statement(
    scope="r.scope = 'author' AND r.scope_id = $1::uuid",
    posts="r.scope_id IN (SELECT p.id FROM read_post p WHERE p.author_id = $1::uuid)",
    ranked="k.author_id = $1::uuid",
)

#: $11 is the author that the post must have, or NULL.
_POST_OF_AUTHOR: Final = """r.scope_id = $1::uuid
              AND (
                  $11::uuid IS NULL
                  OR EXISTS (SELECT FROM read_post p WHERE p.id = $1::uuid AND p.author_id = $11::uuid)
              )"""

OF_POST: Final = _statement(
    scope=f"r.scope = 'post' AND {_POST_OF_AUTHOR}",
    posts=_POST_OF_AUTHOR,
    ranked="k.post_id = $1::uuid AND ($11::uuid IS NULL OR k.author_id = $11::uuid)",
)
