"""Likes of posts by month and year, which posts got most in a span of time, and whose the newest posts are.

No index is on a counter. On a big database it lasts as long as PostgreSQL takes to index the posts and the daily rows;
the worker then builds the daily rows anew.
"""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
-- A number's first two binary digits, and zeros for the rest; 0 below 4. Counters seldom change theirs, so rows are
-- updated in place (HOT) although it is indexed.
CREATE FUNCTION two_digits(number int) RETURNS int IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN number < 4 THEN 0
    ELSE number >> (31 - position(B'1' IN number::bit(32))) << (31 - position(B'1' IN number::bit(32)))
END;

ALTER TABLE read_likes_daily ADD COLUMN at_least int NOT NULL DEFAULT 0;
DROP INDEX read_likes_daily_posts_by_day;
CREATE INDEX read_likes_daily_most_liked_posts ON read_likes_daily (day, at_least DESC) WHERE scope = 'post';
DROP INDEX read_likes_quarter_hourly_posts_by_time;

-- The feed looks through it for the authors that its viewer follows.
DROP INDEX read_post_newest;
CREATE INDEX read_post_newest ON read_post (created_at DESC, id DESC) INCLUDE (author_id);

CREATE TABLE read_likes_by_span (
    post_id uuid NOT NULL,
    months smallint NOT NULL CHECK (months IN (1, 12)),
    first_day date NOT NULL,
    author_id uuid NOT NULL,
    likes int NOT NULL CHECK (likes <> 0),
    at_least int NOT NULL,
    PRIMARY KEY (post_id, months, first_day)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX read_likes_by_span_most_liked ON read_likes_by_span (months, first_day, at_least DESC);
CREATE INDEX read_likes_by_span_by_author ON read_likes_by_span (author_id, months, first_day, at_least DESC);

GRANT SELECT ON read_likes_by_span TO inkfold_reader;
"""

DOWNGRADE = """
DROP TABLE read_likes_by_span;
DROP INDEX read_post_newest;
CREATE INDEX read_post_newest ON read_post (created_at DESC, id DESC);
CREATE INDEX read_likes_quarter_hourly_posts_by_time ON read_likes_quarter_hourly (quarter_hour, scope_id)
    WHERE scope = 'post';
DROP INDEX read_likes_daily_most_liked_posts;
CREATE INDEX read_likes_daily_posts_by_day ON read_likes_daily (day, scope_id) WHERE scope = 'post';
ALTER TABLE read_likes_daily DROP COLUMN at_least;
DROP FUNCTION two_digits;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.AT_2026_11_23
