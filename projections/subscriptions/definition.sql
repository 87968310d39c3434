-- table: read_subscription
SELECT
    s.subscriber_id,
    s.target_user_id AS target_id,
    b.username AS subscriber_username,
    t.username AS target_username,
    s.created_at AS since
FROM subscriptions s
JOIN users b ON b.id = s.subscriber_id
JOIN users t ON t.id = s.target_user_id
