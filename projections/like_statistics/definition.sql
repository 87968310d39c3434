-- table: read_likes_daily
SELECT
    'all' AS scope,
    '00000000-0000-0000-0000-000000000000'::uuid AS scope_id,
    (l.created_at AT TIME ZONE 'UTC')::date AS day,
    count(*)::int AS likes,
    0 AS at_least
FROM likes l
GROUP BY day

UNION ALL

SELECT 'author', p.author_id, (l.created_at AT TIME ZONE 'UTC')::date AS day, count(*)::int, 0
FROM likes l
JOIN posts p ON p.id = l.post_id
GROUP BY p.author_id, day

UNION ALL

SELECT 'post', l.post_id, (l.created_at AT TIME ZONE 'UTC')::date AS day, count(*)::int, two_digits(count(*)::int)
FROM likes l
GROUP BY l.post_id, day

-- table: read_likes_quarter_hourly
SELECT
    'all' AS scope,
    '00000000-0000-0000-0000-000000000000'::uuid AS scope_id,
    date_bin('15 minutes', l.created_at, '2000-01-01 00:00:00+00') AS quarter_hour,
    count(*)::int AS likes
FROM likes l
GROUP BY quarter_hour

UNION ALL

SELECT
    'author',
    p.author_id,
    date_bin('15 minutes', l.created_at, '2000-01-01 00:00:00+00') AS quarter_hour,
    count(*)::int
FROM likes l
JOIN posts p ON p.id = l.post_id
GROUP BY p.author_id, quarter_hour

UNION ALL

SELECT
    'post',
    l.post_id,
    date_bin('15 minutes', l.created_at, '2000-01-01 00:00:00+00') AS quarter_hour,
    count(*)::int
FROM likes l
GROUP BY l.post_id, quarter_hour

-- table: read_likes_by_span
SELECT
    g.post_id,
    g.months,
    g.first_day,
    p.author_id,
    g.likes,
    two_digits(g.likes) AS at_least
FROM (
    SELECT
        l.post_id,
        1::smallint AS months,
        date_trunc('month', l.created_at AT TIME ZONE 'UTC')::date AS first_day,
        count(*)::int AS likes
    FROM likes l
    GROUP BY l.post_id, first_day

    UNION ALL

    SELECT
        l.post_id,
        12::smallint,
        date_trunc('year', l.created_at AT TIME ZONE 'UTC')::date AS first_day,
        count(*)::int
    FROM likes l
    GROUP BY l.post_id, first_day
) g
JOIN posts p ON p.id = g.post_id
