-- table: read_profile
SELECT
    u.id AS user_id,
    u.username,
    u.email,
    u.is_active,
    u.created_at,
    coalesce(p.post_count, 0)::int AS post_count,
    coalesce(p.likes_received, 0)::int AS likes_received,
    coalesce(t.subscriber_count, 0)::int AS subscriber_count,
    coalesce(s.subscription_count, 0)::int AS subscription_count
FROM users u
LEFT JOIN (
    SELECT
        q.author_id,
        count(*) AS post_count,
        sum(coalesce(l.like_count, 0)) AS likes_received
    FROM posts q
    LEFT JOIN (SELECT post_id, count(*) AS like_count FROM likes GROUP BY post_id) l ON l.post_id = q.id
    GROUP BY q.author_id
) p ON p.author_id = u.id
LEFT JOIN (
    SELECT target_user_id, count(*) AS subscriber_count FROM subscriptions GROUP BY target_user_id
) t ON t.target_user_id = u.id
LEFT JOIN (
    SELECT subscriber_id, count(*) AS subscription_count FROM subscriptions GROUP BY subscriber_id
) s ON s.subscriber_id = u.id
