-- Subscriptions to the users numbered from $1 up to, not including, $2, by users that lie `stride` apart on a ring of all others:
-- nobody twice, and nobody to oneself. They begin once both were there and before $4; $3 is how many users there are, $5 what ids
-- begin with.
INSERT INTO subscriptions (id, subscriber_id, target_user_id, created_at)
SELECT
    ($5 || encode(int4send((t.first_subscriber + turn)::int), 'hex'))::uuid,
    s.id,
    t.id,
    greatest(s.created_at, t.created_at) + ($4 - greatest(s.created_at, t.created_at)) * random()
FROM demo_user t
CROSS JOIN LATERAL generate_series(0, t.subscribers - 1) turn
JOIN demo_user s ON s.number = (t.number + 1 + (t.begins + turn * t.stride) % greatest($3 - 1, 1)) % $3
WHERE t.number >= $1 AND t.number < $2
