-- Every statement counts what it has really changed in read_notification, so the counts follow the rows
-- whatever order the events come in.

-- fold: remove_notifications_of_deleted_posts
-- on: PostDeleted
WITH removed AS (
    DELETE FROM read_notification r
    USING step_event e
    WHERE e.type = 'PostDeleted'
      AND r.post_id = e.subject_id
    RETURNING r.user_id, r.is_read
),

change AS (
    SELECT user_id, count(*) AS total, count(*) FILTER (WHERE NOT is_read) AS unread
    FROM removed
    GROUP BY user_id
)

MERGE INTO read_notification_count r
USING change c ON r.user_id = c.user_id
WHEN MATCHED AND r.total = c.total THEN DELETE
WHEN MATCHED THEN UPDATE SET total = r.total - c.total, unread = r.unread - c.unread

-- fold: add_sent_notifications
-- on: NotificationsSent
WITH sent AS (
    SELECT
        e.subject_id AS post_id,
        coalesce((e.payload ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000') AS after,
        (e.payload ->> 'upto')::uuid AS upto
    FROM step_event e
    WHERE e.type = 'NotificationsSent'
),

added AS (
    INSERT INTO read_notification (id, user_id, post_id, message, is_read, created_at)
    SELECT d.id, d.user_id, d.post_id, d.message, d.is_read, d.created_at
    FROM sent s
    JOIN definition_read_notification d
        ON d.post_id = s.post_id AND d.user_id > s.after AND d.user_id <= s.upto
    ON CONFLICT (id) DO NOTHING
    RETURNING user_id, is_read
),

change AS (
    SELECT user_id, count(*) AS total, count(*) FILTER (WHERE NOT is_read) AS unread
    FROM added
    GROUP BY user_id
    ORDER BY user_id
)

INSERT INTO read_notification_count AS r (user_id, total, unread)
SELECT user_id, total, unread FROM change
ON CONFLICT (user_id) DO UPDATE
SET total = r.total + excluded.total,
    unread = r.unread + excluded.unread

-- fold: mark_read_notifications
-- on: NotificationRead
WITH changed AS (
    UPDATE read_notification r
    SET is_read = true
    FROM notifications n
    WHERE r.id IN (SELECT e.subject_id FROM step_event e WHERE e.type = 'NotificationRead')
      AND NOT r.is_read
      AND n.id = r.id
      AND n.is_read
    RETURNING r.user_id
)

UPDATE read_notification_count r
SET unread = r.unread - c.unread
FROM (SELECT user_id, count(*) AS unread FROM changed GROUP BY user_id ORDER BY user_id) c
WHERE r.user_id = c.user_id

-- fold: mark_all_notifications_read
-- on: AllNotificationsRead
WITH changed AS (
    UPDATE read_notification r
    SET is_read = true
    FROM notifications n
    WHERE r.user_id IN (SELECT e.actor_id FROM step_event e WHERE e.type = 'AllNotificationsRead')
      AND NOT r.is_read
      AND n.id = r.id
      AND n.is_read
    RETURNING r.user_id
)

UPDATE read_notification_count r
SET unread = r.unread - c.unread
FROM (SELECT user_id, count(*) AS unread FROM changed GROUP BY user_id ORDER BY user_id) c
WHERE r.user_id = c.user_id

-- fold: remove_finished_announcements
-- on: NotificationsSent PostDeleted
DELETE FROM read_announcement r
USING step_event e
WHERE e.type IN ('NotificationsSent', 'PostDeleted')
  AND r.post_id = e.subject_id
  AND NOT EXISTS (SELECT FROM announcements a WHERE a.post_id = e.subject_id)

-- fold: add_begun_announcements
-- on: PostPublished
INSERT INTO read_announcement (post_id, author_id, since)
SELECT d.post_id, d.author_id, d.since
FROM definition_read_announcement d
WHERE d.post_id IN (SELECT e.subject_id FROM step_event e WHERE e.type = 'PostPublished')
ON CONFLICT (post_id) DO NOTHING
