-- fold: remove_likes_of_deleted_posts
-- on: PostDeleted
DELETE FROM read_post_like r
USING step_event e
WHERE e.type = 'PostDeleted'
  AND r.post_id = e.subject_id

-- fold: remove_likes_taken_back
-- on: PostUnliked
DELETE FROM read_post_like r
USING (
    SELECT DISTINCT e.subject_id AS post_id, e.actor_id AS user_id
    FROM step_event e
    WHERE e.type = 'PostUnliked'
) d
WHERE r.post_id = d.post_id
  AND r.user_id = d.user_id
  AND NOT EXISTS (SELECT FROM likes l WHERE l.post_id = d.post_id AND l.user_id = d.user_id)

-- fold: rederive_given_likes
-- on: PostLiked
-- The definition, with each pair looked up by itself and in the indexes' order: what a step costs must not grow with
-- all the likes there are.
INSERT INTO read_post_like AS r (post_id, user_id, username, liked_at)
SELECT g.post_id, g.user_id, u.username, l.created_at
FROM (
    SELECT DISTINCT e.subject_id AS post_id, e.actor_id AS user_id
    FROM step_event e
    WHERE e.type = 'PostLiked'
    ORDER BY post_id, user_id
) g
CROSS JOIN LATERAL (
    SELECT l.created_at
    FROM likes l
    WHERE l.post_id = g.post_id
      AND l.user_id = g.user_id
    LIMIT 1
) l
JOIN users u ON u.id = g.user_id
ORDER BY g.post_id, g.user_id
ON CONFLICT (post_id, user_id) DO UPDATE
SET liked_at = excluded.liked_at
WHERE r.liked_at IS DISTINCT FROM excluded.liked_at
