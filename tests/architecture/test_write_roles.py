"""The roles of commands and of the worker: what each may is written down here, and each can do nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from app.command_store import CommandStore
from app.commands.likes import LikePost, like_post
from app.db import COMMAND_ROLE, WORKER_ROLE, connect_building, connect_folding
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.engine.rebuild import rebuild
from projections.engine.verify import verify
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog

READ_TABLES = sorted(table.name for projection in PROJECTIONS for table in projection.tables)
NORMALIZED = ["announcements", "likes", "notifications", "posts", "refresh_tokens", "subscriptions", "users"]
CHANGES = ["SELECT", "INSERT", "UPDATE", "DELETE"]
OWNER = [*CHANGES, "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"]

COMMANDS = dict.fromkeys(NORMALIZED, CHANGES) | {
    "event": ["INSERT"],
    "idempotency_key": ["SELECT", "INSERT", "UPDATE"],
}
WORKERS = {
    **dict.fromkeys(READ_TABLES, OWNER),
    **{f"definition_{table}": ["SELECT"] for table in READ_TABLES},
    **dict.fromkeys(("checkpoint", "parked_event", "verification"), CHANGES),
    "announcements": ["SELECT", "UPDATE", "DELETE"],
    "event": ["SELECT", "INSERT", "DELETE"],
    "idempotency_key": ["DELETE"],
    "likes": ["SELECT"],
    "notifications": ["SELECT", "INSERT"],
    "posts": ["SELECT"],
    "refresh_tokens": ["DELETE"],
    "subscriptions": ["SELECT"],
}
COLUMNS = {
    COMMAND_ROLE: {("event", "tx", "SELECT"), ("event", "type", "SELECT")},
    WORKER_ROLE: {
        ("users", "id", "SELECT"),
        ("users", "username", "SELECT"),
        ("posts", "updated_at", "UPDATE"),
        *(("idempotency_key", column, "SELECT") for column in ("sender_id", "key", "expires_at")),
        *(("refresh_tokens", column, "SELECT") for column in ("id", "expires_at")),
    },
}

_RIGHTS = """
SELECT c.relname, r.privilege
FROM pg_class c
CROSS JOIN unnest($2::text[]) r (privilege)
WHERE c.relnamespace = 'public'::regnamespace
  AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND has_table_privilege($1, c.oid, r.privilege)
"""

_COLUMN_RIGHTS = """
SELECT c.relname, a.attname, x.privilege_type
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) x
WHERE c.relnamespace = 'public'::regnamespace
  AND x.grantee = to_regrole($1)
"""

_MORE = """
SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication OR rolbypassrls
FROM pg_roles
WHERE rolname = $1
"""

_GROUPS = """
SELECT g.rolname
FROM pg_auth_members m
JOIN pg_roles g ON g.oid = m.roleid
WHERE m.member = to_regrole($1)
"""

FORBIDDEN = {
    COMMAND_ROLE: [
        *(f"SELECT FROM {table}" for table in (*READ_TABLES, "checkpoint", "read_lag", "parked_event", "aerich")),
        "SELECT payload FROM event",
        "DELETE FROM event",
        "UPDATE event SET type = 'PostLiked'",
        "UPDATE checkpoint SET version = version + 1",
        "TRUNCATE users CASCADE",
        "ALTER TABLE posts ADD COLUMN mood text",
        "DROP TABLE likes",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY posts TO PROGRAM 'cat'",
    ],
    WORKER_ROLE: [
        "SELECT hashed_password FROM users",
        "SELECT email FROM users",
        "SELECT token_hash FROM refresh_tokens",
        "SELECT user_id FROM refresh_tokens",
        "UPDATE refresh_tokens SET used_at = NULL",
        "SELECT FROM aerich",
        "UPDATE users SET username = 'ada'",
        "UPDATE posts SET title = 'Mine'",
        "UPDATE notifications SET is_read = true",
        "UPDATE event SET type = 'PostLiked'",
        *(f"DELETE FROM {table}" for table in ("users", "posts", "likes", "subscriptions", "notifications")),
        "INSERT INTO likes SELECT * FROM likes",
        "INSERT INTO announcements SELECT * FROM announcements",
        "ALTER TABLE checkpoint ADD COLUMN mood text",
        "DROP TABLE posts",
        "CREATE ROLE mine",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY posts TO PROGRAM 'cat'",
    ],
}


async def under(role: str, sql: Connection, statement: str) -> None:
    async with sql.transaction():
        await sql.execute(f"SET LOCAL ROLE {role}")
        await sql.execute(statement)


async def rights(sql: Connection, role: str) -> set[tuple[str, str]]:
    return {(row["relname"], row["privilege"]) for row in await sql.fetch(_RIGHTS, role, OWNER)}


@pytest.mark.parametrize(("role", "tables"), [(COMMAND_ROLE, COMMANDS), (WORKER_ROLE, WORKERS)])
async def test_its_rights_are_these_and_no_more(sql: Connection, role: str, tables: dict[str, list[str]]) -> None:
    assert await rights(sql, role) == {(table, right) for table, each in tables.items() for right in each}
    columns = {tuple(row) for row in await sql.fetch(_COLUMN_RIGHTS, role)}
    assert columns == COLUMNS[role]
    assert await sql.fetchval(_MORE, role) is False


async def test_commands_may_make_nothing_and_are_nobody_else(sql: Connection) -> None:
    assert await sql.fetch(_GROUPS, COMMAND_ROLE) == []
    assert not await sql.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", COMMAND_ROLE)
    assert not await sql.fetchval("SELECT has_database_privilege($1, current_database(), 'CREATE')", COMMAND_ROLE)


async def test_the_worker_sees_what_others_are_doing_and_is_nobody_else(sql: Connection) -> None:
    assert {row[0] for row in await sql.fetch(_GROUPS, WORKER_ROLE)} <= {"pg_read_all_stats"}


@pytest.mark.parametrize(
    ("role", "statement"), [(role, statement) for role, statements in FORBIDDEN.items() for statement in statements]
)
async def test_what_a_role_need_not_do_it_may_not(sql: Connection, role: str, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await under(role, sql, statement)


async def test_commands_run_under_their_role(commands: CommandStore, sql: Connection) -> None:
    blog = Blog(commands, sql)
    ada = await blog.user("ada")
    post = await blog.post(ada)
    assert (await like_post(commands, LikePost(post_id=post.id, user_id=ada.id))).value is True

    async def who(transaction: Any) -> str:
        (row,) = await transaction.fetch("SELECT current_user::text AS name")
        return str(row["name"])

    assert (await commands.transact(who)).value == COMMAND_ROLE


@pytest.mark.parametrize("connect", [connect_folding, connect_building])
async def test_the_worker_runs_under_its_role_also_after_a_reset(
    sql: Connection,  # noqa: ARG001 - migrated
    config: Settings,
    connect: Callable[[Settings], Awaitable["asyncpg.Connection[asyncpg.Record]"]],
) -> None:
    connection = await connect(config)
    try:
        await connection.execute("SET ROLE NONE")
        await connection.execute("RESET ALL; RESET ROLE")
        assert await connection.fetchval("SELECT current_user::text") == WORKER_ROLE
    finally:
        await connection.close()


async def test_the_worker_announces_under_its_role(
    commands: CommandStore, projector: Projector, sql: Connection
) -> None:
    blog = Blog(commands, sql)
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.subscribe(bob, ada)
    await blog.post(ada)

    await projector.announce()
    await projector.fold()

    assert await sql.fetchval("SELECT count(*) FROM read_notification") == 1
    async with projector.pool.acquire() as connection:
        assert await connection.fetchval("SELECT current_user::text") == WORKER_ROLE


async def test_read_tables_stay_the_workers_and_its_rights_the_same_after_a_rebuild(
    sql: Connection, config: Settings, projector: Projector
) -> None:
    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await connect_building(config)

    await rebuild(connect, PROJECTIONS)

    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname = ANY ($1::text[])"
    assert [row[0] for row in await sql.fetch(owners, READ_TABLES)] == [WORKER_ROLE]
    assert await rights(sql, WORKER_ROLE) == {(table, right) for table, each in WORKERS.items() for right in each}
    assert sum(verified.different for verified in await verify(connect, PROJECTIONS)) == 0
    assert await projector.fold() == 0


async def test_normalized_tables_are_neither_roles(sql: Connection) -> None:
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname = ANY ($1::text[])"
    found = {row[0] for row in await sql.fetch(owners, [*NORMALIZED, "event", "checkpoint"])}
    assert found == {await sql.fetchval("SELECT current_user::text")}
