-- fold: remove_deleted_posts
-- on: PostDeleted
DELETE FROM read_post_rank r
USING step_event e
WHERE e.type = 'PostDeleted'
  AND r.post_id = e.subject_id

-- fold: add_published_posts
-- on: PostPublished
INSERT INTO read_post_rank (post_id, author_id, like_count)
SELECT d.post_id, d.author_id, 0
FROM definition_read_post_rank d
WHERE d.post_id IN (SELECT e.subject_id FROM step_event e WHERE e.type = 'PostPublished')
ORDER BY d.post_id

-- fold: count_likes
-- on: PostLiked PostUnliked
UPDATE read_post_rank r
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
WHERE r.post_id = d.subject_id
  AND d.change <> 0
