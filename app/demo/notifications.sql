-- Subscribers are told of the newest post of whom they follow, as long as it is not old; most have read what is older than a week.
-- $1 and $2 are the first and last post id, $3 is what ids begin with, $4 the present moment.
INSERT INTO notifications (id, user_id, post_id, message, is_read, created_at)
SELECT
    ($3 || encode(int4send((row_number() OVER ())::int), 'hex'))::uuid,
    s.subscriber_id,
    p.id,
    left(a.username || ' published “' || p.title || '”', 300),
    p.created_at < $4::timestamptz - interval '7 days' AND random() < 0.8,
    p.created_at
FROM (
    SELECT DISTINCT ON (q.author_id) q.id, q.author_id, q.title, q.created_at
    FROM posts q
    WHERE q.id BETWEEN $1 AND $2
      AND q.created_at > $4::timestamptz - interval '30 days'
    ORDER BY q.author_id, q.created_at DESC, q.id DESC
) p
JOIN users a ON a.id = p.author_id
JOIN subscriptions s ON s.target_user_id = p.author_id AND s.created_at < p.created_at
