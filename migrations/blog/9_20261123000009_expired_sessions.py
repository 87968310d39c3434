"""Lets the worker forget refresh tokens that have run out, and find them without a look at all the others."""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
-- Whose they are and what they are, it does not see.
GRANT DELETE, SELECT (id, expires_at) ON refresh_tokens TO inkfold_worker;
"""

DOWNGRADE = """
REVOKE DELETE, SELECT (id, expires_at) ON refresh_tokens FROM inkfold_worker;
DROP INDEX refresh_tokens_expiry;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.WITH_ACCOUNTS
