-- fold: remove_ended_subscriptions
-- on: UserUnsubscribed
DELETE FROM read_subscription r
USING (
    SELECT DISTINCT e.actor_id AS subscriber_id, e.subject_id AS target_id
    FROM step_event e
    WHERE e.type = 'UserUnsubscribed'
) d
WHERE r.subscriber_id = d.subscriber_id
  AND r.target_id = d.target_id
  AND NOT EXISTS (
      SELECT FROM subscriptions s
      WHERE s.subscriber_id = d.subscriber_id AND s.target_user_id = d.target_id
  )

-- fold: rederive_begun_subscriptions
-- on: UserSubscribed
INSERT INTO read_subscription AS r (subscriber_id, target_id, subscriber_username, target_username, since)
SELECT d.subscriber_id, d.target_id, d.subscriber_username, d.target_username, d.since
FROM definition_read_subscription d
WHERE (d.target_id, d.subscriber_id) IN (
    SELECT e.subject_id, e.actor_id FROM step_event e WHERE e.type = 'UserSubscribed'
)
ORDER BY d.subscriber_id, d.target_id
ON CONFLICT (subscriber_id, target_id) DO UPDATE
SET since = excluded.since
WHERE r.since IS DISTINCT FROM excluded.since
