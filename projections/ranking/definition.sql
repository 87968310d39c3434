-- table: read_post_rank
SELECT
    p.id AS post_id,
    p.author_id,
    coalesce(l.like_count, 0)::int AS like_count
FROM posts p
LEFT JOIN (SELECT post_id, count(*) AS like_count FROM likes GROUP BY post_id) l ON l.post_id = p.id
