"""What commands answered that clients sent with an idempotency key, for as long as the key counts."""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
-- Whoever has not signed in has the nil UUID, so nothing here refers to users.
CREATE TABLE idempotency_key (
    sender_id uuid NOT NULL,
    key text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    answer jsonb NOT NULL,
    token xid8,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (sender_id, key)
);
CREATE INDEX idempotency_key_expiry ON idempotency_key (expires_at);
"""

DOWNGRADE = """
DROP TABLE idempotency_key;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.WITH_ACCOUNTS
