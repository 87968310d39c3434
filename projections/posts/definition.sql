-- table: read_post
SELECT
    p.id,
    p.author_id,
    u.username AS author_username,
    p.title,
    CASE WHEN length(p.content) > 280 THEN left(p.content, 279) || '…' ELSE p.content END AS excerpt,
    p.content,
    p.version,
    coalesce(l.like_count, 0)::int AS like_count,
    p.created_at,
    p.updated_at
FROM posts p
JOIN users u ON u.id = p.author_id
LEFT JOIN (SELECT post_id, count(*) AS like_count FROM likes GROUP BY post_id) l ON l.post_id = p.id

-- table: read_post_total
SELECT
    true AS singleton,
    count(*) AS total
FROM posts
