-- table: read_likes_daily
SELECT s.scope, s.scope_id, s.day, count(*)::int AS likes
FROM (
    SELECT
        v.scope,
        v.scope_id,
        (l.created_at AT TIME ZONE 'UTC')::date AS day
    FROM likes l
    JOIN posts p ON p.id = l.post_id
    CROSS JOIN LATERAL (
        VALUES
        ('all', '00000000-0000-0000-0000-000000000000'::uuid),
        ('author', p.author_id),
        ('post', l.post_id)
    ) v (scope, scope_id)
) s
GROUP BY s.scope, s.scope_id, s.day

-- table: read_likes_quarter_hourly
SELECT s.scope, s.scope_id, s.quarter_hour, count(*)::int AS likes
FROM (
    SELECT
        v.scope,
        v.scope_id,
        date_bin('15 minutes', l.created_at, '2000-01-01 00:00:00+00') AS quarter_hour
    FROM likes l
    JOIN posts p ON p.id = l.post_id
    CROSS JOIN LATERAL (
        VALUES
        ('all', '00000000-0000-0000-0000-000000000000'::uuid),
        ('author', p.author_id),
        ('post', l.post_id)
    ) v (scope, scope_id)
) s
GROUP BY s.scope, s.scope_id, s.quarter_hour
