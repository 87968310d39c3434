"""The role under which queries run: it reads the read tables and the checkpoints, and can do nothing else."""

import asyncpg
import pytest

from app.db import READER_ROLE
from projections.engine.checkpoint import Connection
from projections.registry import PROJECTIONS

READ_TABLES = sorted(table.name for projection in PROJECTIONS for table in projection.tables)
BESIDES = ["checkpoint", "read_lag", "verification"]
NORMALIZED = [
    "announcements",
    "idempotency_key",
    "likes",
    "notifications",
    "posts",
    "refresh_tokens",
    "subscriptions",
    "users",
]
ENGINE = ["event", "parked_event"]

_RELATIONS = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')
"""

_WRITES = {
    "INSERT": "INSERT INTO {0} DEFAULT VALUES",
    "UPDATE": "UPDATE {0} SET {1} = {1}",
    "DELETE": "DELETE FROM {0}",
    "TRUNCATE": "TRUNCATE {0}",
}

_FIRST_COLUMN = "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1"

_RIGHTS = """
SELECT c.relname, r.privilege
FROM pg_class c
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) r (privilege)
WHERE c.relnamespace = 'public'::regnamespace
  AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND has_table_privilege($1, c.oid, r.privilege)
"""

_MORE = """
SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolbypassrls
    OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
    OR has_schema_privilege(r.oid, 'public', 'CREATE')
FROM pg_roles r
WHERE rolname = $1
"""


async def _as_reader(sql: Connection, statement: str) -> None:
    """Run a statement under the role, in a session that may write if its role may."""
    async with sql.transaction():
        await sql.execute(f"SET LOCAL ROLE {READER_ROLE}")
        await sql.execute(statement)


@pytest.mark.parametrize("table", [*NORMALIZED, *ENGINE, "aerich", *(f"definition_{name}" for name in READ_TABLES)])
async def test_what_is_not_a_read_table_cannot_be_read(sql: Connection, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"permission denied for (table|view) {table}"):
        await _as_reader(sql, f"SELECT FROM {table}")


@pytest.mark.parametrize("table", [*READ_TABLES, *BESIDES])
async def test_read_tables_can_be_read(sql: Connection, table: str) -> None:
    await _as_reader(sql, f"SELECT * FROM {table}")


@pytest.mark.parametrize("verb", _WRITES)
@pytest.mark.parametrize("table", [*READ_TABLES, "checkpoint", "verification", *NORMALIZED, *ENGINE])
async def test_nothing_can_be_written(sql: Connection, table: str, verb: str) -> None:
    column = await sql.fetchval(_FIRST_COLUMN, table)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await _as_reader(sql, _WRITES[verb].format(table, column))


async def test_its_rights_are_these_and_no_more(sql: Connection) -> None:
    rights = {(row["relname"], row["privilege"]) for row in await sql.fetch(_RIGHTS, READER_ROLE)}
    assert rights == {(table, "SELECT") for table in [*READ_TABLES, *BESIDES]}
    assert await sql.fetchval(_MORE, READER_ROLE) is False


async def test_every_relation_is_accounted_for_here(sql: Connection) -> None:
    known = {*READ_TABLES, *BESIDES, *NORMALIZED, *ENGINE, "aerich", *(f"definition_{name}" for name in READ_TABLES)}
    assert {row["relname"] for row in await sql.fetch(_RELATIONS)} == known


async def test_queries_run_under_the_role_and_read_only(reader_pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async with reader_pool.acquire() as connection:
        assert await connection.fetchval("SELECT current_user") == READER_ROLE
        assert await connection.fetchval("SHOW transaction_read_only") == "on"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM likes")
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TEMPORARY TABLE mine (n int)")


async def test_a_session_is_so_again_after_it_was_given_back(reader_pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async with reader_pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("RESET ROLE")
    for connection in [await reader_pool.acquire() for _ in range(reader_pool.get_size())]:
        assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
        assert await connection.fetchval("SELECT current_user") == READER_ROLE
        await reader_pool.release(connection)
