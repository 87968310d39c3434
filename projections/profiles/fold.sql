-- fold: add_registered_users
-- on: UserRegistered
-- Counters start at zero: what they count arrives as events of its own.
INSERT INTO read_profile (
    user_id, username, email, is_active, created_at,
    post_count, likes_received, subscriber_count, subscription_count
)
SELECT d.user_id, d.username, d.email, d.is_active, d.created_at, 0, 0, 0, 0
FROM definition_read_profile d
WHERE d.user_id IN (SELECT e.subject_id FROM step_event e WHERE e.type = 'UserRegistered')
ORDER BY d.user_id

-- fold: move_counters
-- on: PostPublished PostDeleted PostLiked PostUnliked UserSubscribed UserUnsubscribed
UPDATE read_profile r
SET post_count = r.post_count + d.posts,
    likes_received = r.likes_received + d.likes,
    subscriber_count = r.subscriber_count + d.subscribers,
    subscription_count = r.subscription_count + d.subscriptions
FROM (
    SELECT
        c.user_id,
        sum(c.posts) AS posts,
        sum(c.likes) AS likes,
        sum(c.subscribers) AS subscribers,
        sum(c.subscriptions) AS subscriptions
    FROM (
        SELECT
            e.actor_id AS user_id,
            CASE e.type WHEN 'PostPublished' THEN 1 ELSE -1 END AS posts,
            CASE e.type WHEN 'PostDeleted' THEN -(e.payload ->> 'likes')::int ELSE 0 END AS likes,
            0 AS subscribers,
            0 AS subscriptions
        FROM step_event e
        WHERE e.type IN ('PostPublished', 'PostDeleted')
        UNION ALL
        SELECT
            (e.payload ->> 'author_id')::uuid,
            0,
            CASE e.type WHEN 'PostLiked' THEN 1 ELSE -1 END,
            0,
            0
        FROM step_event e
        WHERE e.type IN ('PostLiked', 'PostUnliked')
        UNION ALL
        SELECT e.subject_id, 0, 0, CASE e.type WHEN 'UserSubscribed' THEN 1 ELSE -1 END, 0
        FROM step_event e
        WHERE e.type IN ('UserSubscribed', 'UserUnsubscribed')
        UNION ALL
        SELECT e.actor_id, 0, 0, 0, CASE e.type WHEN 'UserSubscribed' THEN 1 ELSE -1 END
        FROM step_event e
        WHERE e.type IN ('UserSubscribed', 'UserUnsubscribed')
    ) c
    GROUP BY c.user_id
    ORDER BY c.user_id
) d
WHERE r.user_id = d.user_id
  AND (d.posts, d.likes, d.subscribers, d.subscriptions) <> (0, 0, 0, 0)

-- fold: shut_and_open_accounts
-- on: UserDeactivated UserReactivated
UPDATE read_profile r
SET is_active = d.is_active
FROM definition_read_profile d
WHERE d.user_id = r.user_id
  AND r.is_active <> d.is_active
  AND r.user_id IN (
      SELECT e.subject_id FROM step_event e WHERE e.type IN ('UserDeactivated', 'UserReactivated')
  )
