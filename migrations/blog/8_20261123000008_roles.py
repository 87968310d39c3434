"""The roles under which commands and the worker run, beside the one under which queries do; the tables stay the owner's.

The read tables become the worker's: a rebuild makes them anew, which only their owner may. It needs a schema for that,
which each run of `inkfold migrate` lets it make (app.migrate).
"""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['inkfold_command', 'inkfold_worker'] LOOP
        IF to_regrole(role) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL;  -- roles belong to the cluster: another database of it has made this one
                WHEN insufficient_privilege THEN
                    RAISE insufficient_privilege USING MESSAGE = format(
                        'The account %1$I may not make roles. Have one that may run: CREATE ROLE %2$I NOLOGIN; '
                        'GRANT %2$I TO %1$I WITH ADMIN OPTION; then migrate again.',
                        current_user,
                        role
                    );
            END;
        END IF;
        IF NOT (pg_has_role(current_user, role, 'SET') AND pg_has_role(current_user, role, 'USAGE')) THEN
            EXECUTE format('GRANT %I TO %I', role, current_user);
        END IF;
    END LOOP;
END
$$;

-- What others' sessions are doing, to say what holds up a rebuild. Without it, that is said less well.
DO $$
BEGIN
    GRANT pg_read_all_stats TO inkfold_worker;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO inkfold_command;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    users, refresh_tokens, posts, likes, subscriptions, notifications, announcements
TO inkfold_command;
GRANT INSERT, SELECT (tx, type) ON event TO inkfold_command;

GRANT USAGE, CREATE ON SCHEMA public TO inkfold_worker;
GRANT SELECT (id, username) ON users TO inkfold_worker;
GRANT SELECT ON posts, likes, subscriptions TO inkfold_worker;
-- To lock a row against its end takes the right to update some column of it.
GRANT UPDATE (updated_at) ON posts TO inkfold_worker;
GRANT SELECT, INSERT ON notifications TO inkfold_worker;
GRANT SELECT, UPDATE, DELETE ON announcements TO inkfold_worker;
GRANT SELECT, INSERT, DELETE ON event TO inkfold_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkpoint, parked_event, verification TO inkfold_worker;

-- Whose time has come, the worker removes; what was answered is no business of its.
DO $$
BEGIN
    IF to_regclass('idempotency_key') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE ON idempotency_key TO inkfold_command;
        GRANT DELETE, SELECT (sender_id, key, expires_at) ON idempotency_key TO inkfold_worker;
    END IF;
END
$$;

-- What an interrupted rebuild has left belongs to the account that ran it, and is of no use to the worker.
DO $$
DECLARE
    schema text;
BEGIN
    FOR schema IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^rebuilding_[0-9]+$' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', schema);
    END LOOP;
END
$$;

ALTER TABLE read_post OWNER TO inkfold_worker;
ALTER TABLE read_post_total OWNER TO inkfold_worker;
ALTER TABLE read_post_like OWNER TO inkfold_worker;
ALTER TABLE read_profile OWNER TO inkfold_worker;
ALTER TABLE read_subscription OWNER TO inkfold_worker;
ALTER TABLE read_notification OWNER TO inkfold_worker;
ALTER TABLE read_notification_count OWNER TO inkfold_worker;
ALTER TABLE read_announcement OWNER TO inkfold_worker;
ALTER TABLE read_post_rank OWNER TO inkfold_worker;
ALTER TABLE read_likes_daily OWNER TO inkfold_worker;
ALTER TABLE read_likes_quarter_hourly OWNER TO inkfold_worker;
ALTER TABLE read_likes_by_span OWNER TO inkfold_worker;
"""

# Not DROP OWNED: that would take the roles' rights on other databases of the cluster, too.
DOWNGRADE = """
REASSIGN OWNED BY inkfold_worker TO CURRENT_USER;
REVOKE ALL ON
    users, refresh_tokens, posts, likes, subscriptions, notifications, announcements,
    event, checkpoint, parked_event, verification
FROM inkfold_command, inkfold_worker;
REVOKE ALL ON SCHEMA public FROM inkfold_command, inkfold_worker;
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM inkfold_worker', current_database());
END
$$;
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.WITH_ACCOUNTS
