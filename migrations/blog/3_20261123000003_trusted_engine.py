"""What the engine keeps beside the checkpoints: how steps went, parked events, and the results of verifications."""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
ALTER TABLE checkpoint
    ADD COLUMN step_events int NOT NULL DEFAULT 0,
    ADD COLUMN step_seconds float8 NOT NULL DEFAULT 0,
    ADD COLUMN built_at timestamptz,
    ADD COLUMN build_seconds float8;

CREATE TABLE parked_event (
    projection text NOT NULL,
    tx xid8 NOT NULL,
    position bigint NOT NULL,
    type text NOT NULL,
    subject_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    payload jsonb NOT NULL,
    at timestamptz NOT NULL,
    error text NOT NULL,
    tries int NOT NULL DEFAULT 1,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, tx, position)
);

CREATE TABLE verification (
    projection text PRIMARY KEY,
    verified_at timestamptz NOT NULL,
    seconds float8 NOT NULL,
    compared bigint NOT NULL,
    different bigint NOT NULL,
    mended bool NOT NULL
);

-- To ask for the first event, not whether there is any, keeps the planner to the index while the log is not analyzed.
CREATE OR REPLACE VIEW read_lag AS
    SELECT
        c.projection,
        c.snapshot,
        (SELECT true FROM event e WHERE e.tx >= pg_snapshot_xmax(c.snapshot) ORDER BY e.tx LIMIT 1) IS NOT NULL
        OR (
            SELECT true FROM event e
            WHERE e.tx = ANY (ARRAY (SELECT pg_snapshot_xip(c.snapshot)))
            ORDER BY e.tx
            LIMIT 1
        ) IS NOT NULL AS behind,
        least(
            (SELECT e.at FROM event e WHERE e.tx >= pg_snapshot_xmax(c.snapshot) ORDER BY e.tx, e.position LIMIT 1),
            (
                SELECT e.at FROM event e
                WHERE e.tx = ANY (ARRAY (SELECT pg_snapshot_xip(c.snapshot)))
                ORDER BY e.tx, e.position
                LIMIT 1
            )
        ) AS oldest,
        (SELECT count(*) FROM parked_event p WHERE p.projection = c.projection) AS parked,
        c.status,
        c.system_identifier
    FROM checkpoint c;

GRANT SELECT ON verification TO inkfold_reader;

-- A bounded step may end between two events of one row that have not the numbers of the order in which they happened,
-- and leave -1 for the next to add to: changes are summed in whatever order they come.
ALTER TABLE read_post DROP CONSTRAINT read_post_like_count_check;
ALTER TABLE read_post_rank DROP CONSTRAINT read_post_rank_like_count_check;
ALTER TABLE read_likes_daily
    DROP CONSTRAINT read_likes_daily_likes_check,
    ADD CONSTRAINT read_likes_daily_likes_check CHECK (likes <> 0);
ALTER TABLE read_likes_quarter_hourly
    DROP CONSTRAINT read_likes_quarter_hourly_likes_check,
    ADD CONSTRAINT read_likes_quarter_hourly_likes_check CHECK (likes <> 0);
"""

DOWNGRADE = """
ALTER TABLE read_post ADD CONSTRAINT read_post_like_count_check CHECK (like_count >= 0);
ALTER TABLE read_post_rank ADD CONSTRAINT read_post_rank_like_count_check CHECK (like_count >= 0);
ALTER TABLE read_likes_daily
    DROP CONSTRAINT read_likes_daily_likes_check,
    ADD CONSTRAINT read_likes_daily_likes_check CHECK (likes > 0);
ALTER TABLE read_likes_quarter_hourly
    DROP CONSTRAINT read_likes_quarter_hourly_likes_check,
    ADD CONSTRAINT read_likes_quarter_hourly_likes_check CHECK (likes > 0);
DROP VIEW read_lag;
DROP TABLE verification, parked_event;
ALTER TABLE checkpoint
    DROP COLUMN step_events,
    DROP COLUMN step_seconds,
    DROP COLUMN built_at,
    DROP COLUMN build_seconds;
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
GRANT SELECT ON read_lag TO inkfold_reader;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.AT_2026_11_23
