-- The likes of the posts numbered from $1 up to, not including, $2. A post's likes are given by users that lie `stride` apart on a
-- ring of all $3, beginning anywhere, so nobody likes it twice. They come in the hours after both were there, ever fewer, by day
-- rather than by night, and none later than $4. $5 is what ids begin with, $6 the busy hours.
INSERT INTO likes (id, user_id, post_id, created_at)
SELECT
    ($5 || encode(int4send((m.first_like + m.turn)::int), 'hex'))::uuid,
    m.user_id,
    m.post_id,
    CASE WHEN s.moment > m.opened AND s.moment < $4 THEN s.moment ELSE m.moment END
FROM (
    SELECT
        e.*,
        CASE WHEN e.opened + e.delay < $4 THEN e.opened + e.delay ELSE e.opened + ($4 - e.opened) * random() END
            AS moment
    FROM (
        SELECT
            p.id AS post_id,
            p.first_like,
            turn,
            u.id AS user_id,
            greatest(p.created_at, u.created_at) AS opened,
            interval '3 hours' * (power(1 - random(), -0.9) - 1) AS delay
        FROM demo_post p
        CROSS JOIN LATERAL generate_series(0, p.likes - 1) turn
        JOIN demo_user u ON u.number = (p.begins + turn * p.stride) % $3
        WHERE p.number >= $1 AND p.number < $2
    ) e
) m
CROSS JOIN LATERAL (
    SELECT
        date_bin('1 day', m.moment, '2000-01-01 00:00:00+00')
        + interval '1 hour' * (($6::int[])[1 + floor(random() * cardinality($6::int[]))::int] + random())
        + CASE WHEN extract(isodow FROM m.moment) > 5 AND random() < 0.4 THEN interval '2 days' ELSE interval '0' END
            AS moment
) s
