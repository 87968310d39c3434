"""The event log, the checkpoints of the projections, and what the engine asks of them in SQL."""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
CREATE TABLE event (
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL,
    subject_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (tx, position)
);

CREATE TABLE checkpoint (
    projection text PRIMARY KEY,
    version int NOT NULL,
    snapshot pg_snapshot NOT NULL,
    system_identifier bigint NOT NULL,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'paused', 'failing')),
    error text,
    failures int NOT NULL DEFAULT 0,
    retry_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);


-- What a query may know of the events: whether some are committed that a projection does not reflect yet, and when
-- the oldest of them happened. Beyond the snapshot that is the first one, and to ask for the first, not whether there
-- is any, keeps the planner to the index: it would read the whole log to find that there is none.
CREATE VIEW read_lag AS
    SELECT
        c.projection,
        c.snapshot,
        (SELECT true FROM event e WHERE e.tx >= pg_snapshot_xmax(c.snapshot) ORDER BY e.tx LIMIT 1) IS NOT NULL
        OR EXISTS (SELECT FROM event e WHERE e.tx = ANY (ARRAY (SELECT pg_snapshot_xip(c.snapshot)))) AS behind,
        least(
            (SELECT e.at FROM event e WHERE e.tx >= pg_snapshot_xmax(c.snapshot) ORDER BY e.tx, e.position LIMIT 1),
            (SELECT min(e.at) FROM event e WHERE e.tx = ANY (ARRAY (SELECT pg_snapshot_xip(c.snapshot))))
        ) AS oldest
    FROM checkpoint c;
"""

DOWNGRADE = """
DROP VIEW read_lag;
DROP TABLE checkpoint;
DROP TABLE event;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.AT_2026_11_23
