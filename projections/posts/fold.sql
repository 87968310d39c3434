-- fold: remove_deleted_posts
-- on: PostDeleted
DELETE FROM read_post r
USING step_event e
WHERE e.type = 'PostDeleted'
  AND r.id = e.subject_id

-- fold: rederive_written_posts
-- on: PostPublished PostEdited
-- A new post starts at zero likes: its likes are counted from their own events, so that a step that ends before
-- them never counts one twice.
INSERT INTO read_post AS r (
    id, author_id, author_username, title, excerpt, content, version, like_count, created_at, updated_at
)
SELECT
    d.id, d.author_id, d.author_username, d.title, d.excerpt, d.content, d.version, 0, d.created_at, d.updated_at
FROM definition_read_post d
WHERE d.id IN (SELECT e.subject_id FROM step_event e WHERE e.type IN ('PostPublished', 'PostEdited'))
ORDER BY d.id
ON CONFLICT (id) DO UPDATE
SET title = excluded.title,
    excerpt = excluded.excerpt,
    content = excluded.content,
    version = excluded.version,
    updated_at = excluded.updated_at

-- fold: count_likes
-- on: PostLiked PostUnliked
UPDATE read_post r
SET like_count = r.like_count + d.change
FROM (
    SELECT
        e.subject_id,
        sum(CASE e.type WHEN 'PostLiked' THEN 1 ELSE -1 END) AS change
    FROM step_event e
    WHERE e.type IN ('PostLiked', 'PostUnliked')
    GROUP BY e.subject_id
    ORDER BY e.subject_id
) d
WHERE r.id = d.subject_id
  AND d.change <> 0

-- fold: count_posts
-- on: PostPublished PostDeleted
UPDATE read_post_total r
SET total = r.total + (
    SELECT sum(CASE e.type WHEN 'PostPublished' THEN 1 ELSE -1 END)
    FROM step_event e
    WHERE e.type IN ('PostPublished', 'PostDeleted')
)
