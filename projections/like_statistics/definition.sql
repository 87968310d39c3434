-- table: read_likes_daily
SELECT
    'all' AS scope,
    '00000000-0000-0000-0000-000000000000'::uuid AS scope_id,
    (l.created_at AT TIME ZONE 'UTC')::date AS day,
    count(*)::int AS likes
FROM likes l
GROUP BY day

UNION ALL

SELECT 'author', p.author_id, (l.created_at AT TIME ZONE 'UTC')::date AS day, count(*)::int
FROM likes l
JOIN posts p ON p.id = l.post_id
GROUP BY p.author_id, day

UNION ALL

SELECT 'post', l.post_id, (l.created_at AT TIME ZONE 'UTC')::date AS day, count(*)::int
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
