"""Since when a user's access tokens count, and usernames that look alike.

It writes every user's row once. Of names that are alike already, the oldest has the skeleton and all stay: a new name
must not look like any of them.
"""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
ALTER TABLE users
    ADD COLUMN username_skeleton varchar(32),
    ADD COLUMN tokens_since timestamptz;

-- As app.identity.usernames makes it.
UPDATE users u
SET username_skeleton = oldest.skeleton
FROM (
    SELECT DISTINCT ON (alike.skeleton) alike.id, alike.skeleton
    FROM (
        SELECT
            id,
            created_at,
            replace(replace(translate(username_key, '01i', 'oll'), 'rn', 'm'), 'vv', 'w') AS skeleton
        FROM users
    ) alike
    ORDER BY alike.skeleton, alike.created_at, alike.id
) oldest
WHERE oldest.id = u.id;

ALTER TABLE users ADD UNIQUE (username_skeleton);
"""

DOWNGRADE = """
ALTER TABLE users
    DROP COLUMN tokens_since,
    DROP COLUMN username_skeleton;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.WITH_ACCOUNTS
