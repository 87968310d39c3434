"""The read tables, and the role that may read them and nothing else.

Counters that change with every like stand in tables with room on each page and no index on the counter,
so that PostgreSQL updates them in place (HOT). Long content is kept out of line for the same reason.
"""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
CREATE TABLE read_post (
    id uuid PRIMARY KEY,
    author_id uuid NOT NULL,
    author_username varchar(32) NOT NULL,
    title varchar(200) NOT NULL,
    excerpt text NOT NULL,
    content text NOT NULL,
    version int NOT NULL,
    like_count int NOT NULL CHECK (like_count >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 75, toast_tuple_target = 512, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE read_post ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE read_post ALTER COLUMN excerpt SET STORAGE MAIN;
CREATE INDEX read_post_newest ON read_post (created_at DESC, id DESC);
CREATE INDEX read_post_by_author ON read_post (author_id, created_at DESC, id DESC);

CREATE TABLE read_post_total (
    singleton bool PRIMARY KEY CHECK (singleton),
    total bigint NOT NULL CHECK (total >= 0)
) WITH (fillfactor = 50);
INSERT INTO read_post_total VALUES (true, 0);

CREATE TABLE read_post_like (
    post_id uuid NOT NULL,
    user_id uuid NOT NULL,
    username varchar(32) NOT NULL,
    liked_at timestamptz NOT NULL,
    PRIMARY KEY (post_id, user_id)
);
CREATE INDEX read_post_like_newest ON read_post_like (post_id, liked_at DESC, user_id DESC);

CREATE TABLE read_profile (
    user_id uuid PRIMARY KEY,
    username varchar(32) NOT NULL,
    email varchar(254) NOT NULL,
    is_active bool NOT NULL,
    created_at timestamptz NOT NULL,
    post_count int NOT NULL CHECK (post_count >= 0),
    likes_received int NOT NULL,
    subscriber_count int NOT NULL CHECK (subscriber_count >= 0),
    subscription_count int NOT NULL CHECK (subscription_count >= 0)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE read_subscription (
    subscriber_id uuid NOT NULL,
    target_id uuid NOT NULL,
    subscriber_username varchar(32) NOT NULL,
    target_username varchar(32) NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (subscriber_id, target_id)
);
CREATE INDEX read_subscription_newest ON read_subscription (subscriber_id, since DESC, target_id DESC);
CREATE INDEX read_subscription_of_target ON read_subscription (target_id, since DESC, subscriber_id DESC);

CREATE TABLE read_notification (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    post_id uuid NOT NULL,
    message varchar(300) NOT NULL,
    is_read bool NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX read_notification_newest ON read_notification (user_id, created_at DESC, id DESC);
CREATE INDEX read_notification_unread ON read_notification (user_id, created_at DESC, id DESC) WHERE NOT is_read;
CREATE INDEX read_notification_of_post ON read_notification (post_id);

CREATE TABLE read_notification_count (
    user_id uuid PRIMARY KEY,
    total int NOT NULL CHECK (total > 0),
    unread int NOT NULL CHECK (unread BETWEEN 0 AND total)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE read_announcement (
    post_id uuid PRIMARY KEY,
    author_id uuid NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX read_announcement_author ON read_announcement (author_id);

CREATE TABLE read_post_rank (
    post_id uuid PRIMARY KEY,
    author_id uuid NOT NULL,
    like_count int NOT NULL CHECK (like_count >= 0)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX read_post_rank_most_liked ON read_post_rank (like_count DESC, post_id DESC);
CREATE INDEX read_post_rank_by_author ON read_post_rank (author_id, like_count DESC, post_id DESC);

CREATE TABLE read_likes_daily (
    scope text NOT NULL CHECK (scope IN ('all', 'author', 'post')),
    scope_id uuid NOT NULL,
    day date NOT NULL,
    likes int NOT NULL CHECK (likes > 0),
    PRIMARY KEY (scope, scope_id, day)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX read_likes_daily_posts_by_day ON read_likes_daily (day, scope_id) WHERE scope = 'post';

CREATE TABLE read_likes_quarter_hourly (
    scope text NOT NULL CHECK (scope IN ('all', 'author', 'post')),
    scope_id uuid NOT NULL,
    quarter_hour timestamptz NOT NULL,
    likes int NOT NULL CHECK (likes > 0),
    PRIMARY KEY (scope, scope_id, quarter_hour)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX read_likes_quarter_hourly_posts_by_time ON read_likes_quarter_hourly (quarter_hour, scope_id)
    WHERE scope = 'post';

DO $$
BEGIN
    CREATE ROLE inkfold_reader NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the cluster: another database of it has made this one
END
$$;
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'inkfold_reader', 'SET') THEN
        EXECUTE format('GRANT inkfold_reader TO %I', current_user);
    END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO inkfold_reader;
GRANT SELECT ON
    checkpoint, read_lag,
    read_post, read_post_total, read_post_like, read_profile, read_subscription, read_notification,
    read_notification_count, read_announcement, read_post_rank, read_likes_daily, read_likes_quarter_hourly
TO inkfold_reader;
"""

DOWNGRADE = """
DROP OWNED BY inkfold_reader;
DROP TABLE
    read_post, read_post_total, read_post_like, read_profile, read_subscription, read_notification,
    read_notification_count, read_announcement, read_post_rank, read_likes_daily, read_likes_quarter_hourly;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.AT_2026_11_23
