"""Wherever in a database one of the roles is named: on relations, on schema public, and nowhere else."""

import pytest

from app.db import COMMAND_ROLE, READER_ROLE, ROLES, WORKER_ROLE
from projections.engine.checkpoint import Connection

#: PostgreSQL knows of whatever belongs to a role or lists it among those with rights: also what nobody thought of.
_FOOTPRINTS = """
SELECT DISTINCT d.classid::regclass::text, d.deptype::text, pg_describe_object(d.classid, d.objid, 0)
FROM pg_shdepend d
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_database here ON here.datname = current_database()
WHERE d.refclassid = 'pg_authid'::regclass
  AND d.refobjid = to_regrole($1)
  AND (d.dbid = here.oid OR (d.classid = 'pg_database'::regclass AND d.objid = here.oid))
  AND coalesce(c.relkind NOT IN ('r', 'v'), true)
  -- what a worker that runs at the moment has made for its session
  AND coalesce(c.relnamespace, p.pronamespace, 'public'::regnamespace)::regnamespace::text !~ '^pg_temp_'
"""
_COLUMNS = """
SELECT attrelid::regclass::text, attname
FROM pg_attribute
CROSS JOIN LATERAL aclexplode(attacl) AS x
WHERE x.grantee = to_regrole($1)
"""
PUBLIC = ("pg_namespace", "a", "schema public")


@pytest.mark.parametrize("role", ROLES)
async def test_besides_tables_and_views_a_role_is_named_on_schema_public_only(sql: Connection, role: str) -> None:
    named = {tuple(row) for row in await sql.fetch(_FOOTPRINTS, role)}
    database = ("pg_database", "a", f"database {await sql.fetchval('SELECT current_database()')}")
    assert named == ({PUBLIC, database} if role == WORKER_ROLE else {PUBLIC})


async def test_queries_have_a_right_on_no_single_column(sql: Connection) -> None:
    assert await sql.fetch(_COLUMNS, READER_ROLE) == []


@pytest.mark.parametrize(
    "excess",
    [
        f"GRANT USAGE ON SEQUENCE aerich_id_seq TO {COMMAND_ROLE}",
        f"GRANT UPDATE (is_read) ON notifications TO {READER_ROLE}",
        f"GRANT TEMPORARY ON DATABASE inkfold TO {READER_ROLE}",
        f"GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {WORKER_ROLE}",
        f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {COMMAND_ROLE}",
    ],
)
async def test_a_right_too_many_is_seen(sql: Connection, excess: str) -> None:
    async def found() -> list[list[object]]:
        return [
            [tuple(row) for row in await sql.fetch(look, role)] for look in (_FOOTPRINTS, _COLUMNS) for role in ROLES
        ]

    before = await found()
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(excess)
    after = await found()
    await transaction.rollback()
    assert after != before
