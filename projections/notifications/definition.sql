-- table: read_notification
SELECT
    n.id,
    n.user_id,
    n.post_id,
    n.message,
    n.is_read,
    n.created_at
FROM notifications n

-- table: read_notification_count
SELECT
    n.user_id,
    count(*)::int AS total,
    (count(*) FILTER (WHERE NOT n.is_read))::int AS unread
FROM notifications n
GROUP BY n.user_id

-- table: read_announcement
SELECT
    a.post_id,
    a.author_id,
    a.created_at AS since
FROM announcements a
