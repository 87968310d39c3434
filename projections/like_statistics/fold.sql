-- fold: count_by_day
-- on: PostLiked PostUnliked PostDeleted
-- A deleted post takes back exactly the likes that its own rows hold, and events of a post that is gone are left
-- out: so it is all the same in which order, and in how many steps, a post's likes and its end are folded.
WITH deleted AS (
    SELECT e.subject_id AS post_id, e.actor_id AS author_id
    FROM step_event e
    WHERE e.type = 'PostDeleted'
),

removed AS (
    DELETE FROM read_likes_daily r
    USING deleted d
    WHERE r.scope = 'post'
      AND r.scope_id = d.post_id
    RETURNING d.author_id, r.day, r.likes
),

given AS (
    SELECT
        e.subject_id AS post_id,
        (e.payload ->> 'author_id')::uuid AS author_id,
        ((e.payload ->> 'liked_at')::timestamptz AT TIME ZONE 'UTC')::date AS day,
        CASE e.type WHEN 'PostLiked' THEN 1 ELSE -1 END AS change
    FROM step_event e
    WHERE e.type IN ('PostLiked', 'PostUnliked')
      AND EXISTS (SELECT FROM posts p WHERE p.id = e.subject_id)
),

change AS (
    SELECT c.scope, c.scope_id, c.day, sum(c.change)::int AS likes
    FROM (
        SELECT v.scope, v.scope_id, g.day, g.change
        FROM given g
        CROSS JOIN LATERAL (
            VALUES
            ('all', '00000000-0000-0000-0000-000000000000'::uuid),
            ('author', g.author_id),
            ('post', g.post_id)
        ) v (scope, scope_id)
        UNION ALL
        SELECT v.scope, v.scope_id, r.day, -r.likes
        FROM removed r
        CROSS JOIN LATERAL (
            VALUES
            ('all', '00000000-0000-0000-0000-000000000000'::uuid),
            ('author', r.author_id)
        ) v (scope, scope_id)
    ) c
    GROUP BY c.scope, c.scope_id, c.day
    HAVING sum(c.change) <> 0
    ORDER BY c.scope, c.scope_id, c.day
)

MERGE INTO read_likes_daily r
USING change c ON r.scope = c.scope AND r.scope_id = c.scope_id AND r.day = c.day
WHEN MATCHED AND r.likes + c.likes = 0 THEN DELETE
WHEN MATCHED THEN
    UPDATE SET
        likes = r.likes + c.likes,
        at_least = CASE c.scope WHEN 'post' THEN two_digits(r.likes + c.likes) ELSE 0 END
WHEN NOT MATCHED THEN
    INSERT (scope, scope_id, day, likes, at_least)
    VALUES (c.scope, c.scope_id, c.day, c.likes, CASE c.scope WHEN 'post' THEN two_digits(c.likes) ELSE 0 END)

-- fold: count_by_quarter_hour
-- on: PostLiked PostUnliked PostDeleted
-- A deleted post takes back exactly the likes that its own rows hold, and events of a post that is gone are left
-- out: so it is all the same in which order, and in how many steps, a post's likes and its end are folded.
WITH deleted AS (
    SELECT e.subject_id AS post_id, e.actor_id AS author_id
    FROM step_event e
    WHERE e.type = 'PostDeleted'
),

removed AS (
    DELETE FROM read_likes_quarter_hourly r
    USING deleted d
    WHERE r.scope = 'post'
      AND r.scope_id = d.post_id
    RETURNING d.author_id, r.quarter_hour, r.likes
),

given AS (
    SELECT
        e.subject_id AS post_id,
        (e.payload ->> 'author_id')::uuid AS author_id,
        date_bin('15 minutes', (e.payload ->> 'liked_at')::timestamptz, '2000-01-01 00:00:00+00') AS quarter_hour,
        CASE e.type WHEN 'PostLiked' THEN 1 ELSE -1 END AS change
    FROM step_event e
    WHERE e.type IN ('PostLiked', 'PostUnliked')
      AND EXISTS (SELECT FROM posts p WHERE p.id = e.subject_id)
),

change AS (
    SELECT c.scope, c.scope_id, c.quarter_hour, sum(c.change)::int AS likes
    FROM (
        SELECT v.scope, v.scope_id, g.quarter_hour, g.change
        FROM given g
        CROSS JOIN LATERAL (
            VALUES
            ('all', '00000000-0000-0000-0000-000000000000'::uuid),
            ('author', g.author_id),
            ('post', g.post_id)
        ) v (scope, scope_id)
        UNION ALL
        SELECT v.scope, v.scope_id, r.quarter_hour, -r.likes
        FROM removed r
        CROSS JOIN LATERAL (
            VALUES
            ('all', '00000000-0000-0000-0000-000000000000'::uuid),
            ('author', r.author_id)
        ) v (scope, scope_id)
    ) c
    GROUP BY c.scope, c.scope_id, c.quarter_hour
    HAVING sum(c.change) <> 0
    ORDER BY c.scope, c.scope_id, c.quarter_hour
)

MERGE INTO read_likes_quarter_hourly r
USING change c ON r.scope = c.scope AND r.scope_id = c.scope_id AND r.quarter_hour = c.quarter_hour
WHEN MATCHED AND r.likes + c.likes = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET likes = r.likes + c.likes
WHEN NOT MATCHED THEN INSERT (scope, scope_id, quarter_hour, likes) VALUES (c.scope, c.scope_id, c.quarter_hour, c.likes)

-- fold: count_by_span
-- on: PostLiked PostUnliked PostDeleted
-- Events of a post that is gone are left out, so that no row is removed and changed at once.
WITH removed AS (
    DELETE FROM read_likes_by_span r
    USING step_event e
    WHERE e.type = 'PostDeleted'
      AND r.post_id = e.subject_id
),

given AS (
    SELECT
        e.subject_id AS post_id,
        (e.payload ->> 'author_id')::uuid AS author_id,
        (e.payload ->> 'liked_at')::timestamptz AT TIME ZONE 'UTC' AS moment,
        CASE e.type WHEN 'PostLiked' THEN 1 ELSE -1 END AS change
    FROM step_event e
    WHERE e.type IN ('PostLiked', 'PostUnliked')
      AND EXISTS (SELECT FROM posts p WHERE p.id = e.subject_id)
),

change AS (
    SELECT c.post_id, c.months, c.first_day, c.author_id, sum(c.change)::int AS likes
    FROM (
        SELECT g.post_id, 1::smallint AS months, date_trunc('month', g.moment)::date AS first_day, g.author_id, g.change
        FROM given g
        UNION ALL
        SELECT g.post_id, 12::smallint, date_trunc('year', g.moment)::date, g.author_id, g.change
        FROM given g
    ) c
    GROUP BY c.post_id, c.months, c.first_day, c.author_id
    HAVING sum(c.change) <> 0
    ORDER BY c.post_id, c.months, c.first_day
)

MERGE INTO read_likes_by_span r
USING change c ON r.post_id = c.post_id AND r.months = c.months AND r.first_day = c.first_day
WHEN MATCHED AND r.likes + c.likes = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET likes = r.likes + c.likes, at_least = two_digits(r.likes + c.likes)
WHEN NOT MATCHED THEN
    INSERT (post_id, months, first_day, author_id, likes, at_least)
    VALUES (c.post_id, c.months, c.first_day, c.author_id, c.likes, two_digits(c.likes))
