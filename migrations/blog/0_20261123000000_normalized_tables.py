"""The normalized tables that commands write."""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
CREATE TABLE IF NOT EXISTS aerich (
    id serial PRIMARY KEY,
    version varchar(255) NOT NULL,
    app varchar(100) NOT NULL,
    content jsonb NOT NULL,
    CONSTRAINT aerich_once UNIQUE (app, version)
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username varchar(32) NOT NULL UNIQUE,
    username_key varchar(32) NOT NULL UNIQUE CHECK (username_key = lower(username_key)),
    email varchar(254) NOT NULL UNIQUE CHECK (email = lower(email)),
    hashed_password varchar(255) NOT NULL,
    is_active bool NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE refresh_tokens (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family_id uuid NOT NULL,
    token_hash varchar(64) NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);

CREATE TABLE posts (
    id uuid PRIMARY KEY,
    title varchar(200) NOT NULL CHECK (title <> ''),
    content text NOT NULL CHECK (content <> ''),
    author_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    version int NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX posts_author ON posts (author_id);

CREATE TABLE likes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    post_id uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT likes_once UNIQUE (post_id, user_id)
);
CREATE INDEX likes_user ON likes (user_id);

CREATE TABLE subscriptions (
    id uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    target_user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT subscriptions_once UNIQUE (target_user_id, subscriber_id),
    CONSTRAINT subscriptions_not_to_oneself CHECK (subscriber_id <> target_user_id)
);
CREATE INDEX subscriptions_subscriber ON subscriptions (subscriber_id);

CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    post_id uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    message varchar(300) NOT NULL,
    is_read bool NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT notifications_once UNIQUE (post_id, user_id)
);
CREATE INDEX notifications_user ON notifications (user_id) WHERE NOT is_read;

CREATE TABLE announcements (
    post_id uuid PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
    author_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    message varchar(300) NOT NULL,
    last_subscriber_id uuid,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX announcements_author ON announcements (author_id);
"""

DOWNGRADE = """
DROP TABLE announcements;
DROP TABLE notifications;
DROP TABLE subscriptions;
DROP TABLE likes;
DROP TABLE posts;
DROP TABLE refresh_tokens;
DROP TABLE users;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.AT_2026_11_23
