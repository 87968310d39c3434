-- table: read_post_like
SELECT
    l.post_id,
    l.user_id,
    u.username,
    l.created_at AS liked_at
FROM likes l
JOIN users u ON u.id = l.user_id
