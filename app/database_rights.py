"""What an account needs for migrating, and what a database must give the worker that no dump of it carries over.

`app.migrate` asks before the first migration, so that nothing is begun that can't be finished, and grants after the
last. It never changes a right on a normalized table: those are the migrations'.
"""

from collections.abc import Iterable
from typing import Final

from app.db import ROLES, WORKER_ROLE
from app.reachability import UnreachableError
from projections.engine.checkpoint import Connection

_OLDEST_POSTGRES: Final = 18
#: These run CREATE ROLE, the earlier one whether the role is there or not.
_MAKES_READER: Final = "2_"
_MAKES_OTHERS: Final = "8_"

_ACCOUNT: Final = """
SELECT
    current_setting('server_version') AS version,
    current_setting('server_version_num')::int / 10000 AS major,
    quote_ident(current_user) AS name,
    quote_ident(current_database()) AS database,
    (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS makes_roles,
    has_database_privilege(current_database(), 'CREATE WITH GRANT OPTION')
        AND has_schema_privilege('public', 'CREATE WITH GRANT OPTION') AS owns
"""
_ROLES: Final = """
SELECT
    name,
    to_regrole(name) IS NOT NULL AS there,
    CASE WHEN to_regrole(name) IS NOT NULL THEN
        pg_has_role(name, 'SET') AND pg_has_role(name, 'USAGE') OR pg_has_role(name, 'MEMBER WITH ADMIN OPTION')
    END AS taken
FROM unnest($1::text[]) AS name
"""

# A rebuild makes a schema of its own. No migration can grant that for good: rights on a database are in no dump of it.
_GRANT: Final = f"""
DO $$
BEGIN
    IF NOT (
        has_database_privilege('{WORKER_ROLE}', current_database(), 'CREATE')
        AND has_database_privilege('{WORKER_ROLE}', current_database(), 'TEMPORARY')
    ) THEN
        EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO {WORKER_ROLE}', current_database());
    END IF;
END
$$
"""

# Restored by an account that is no superuser, they are that account's: a dump hands them over before the worker may
# have anything in the schema.
_STRAYED: Final = f"""
SELECT c.oid::regclass::text
FROM pg_class c
WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
  AND c.relowner <> '{WORKER_ROLE}'::regrole
"""


# Looked for while only PostgreSQL's own functions and operators can be meant. What a worker makes for its session is
# in the session's own schema.
_PLANTED: Final = f"""
SELECT 'function ' || p.oid::regprocedure
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proowner = to_regrole('{WORKER_ROLE}')
  AND n.nspname !~ '^pg_temp_'
UNION ALL
SELECT 'operator ' || o.oid::regoperator
FROM pg_operator o
WHERE o.oprowner = to_regrole('{WORKER_ROLE}')
"""


async def require_nothing_planted(connection: Connection) -> None:
    """Raise UnreachableError where the worker's account has made what the owner's statements might call unawares.

    A worker may make things in schema public, and PostgreSQL calls a function or operator there rather than its own
    where the types fit better. A migration would call it as the owner.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path = pg_catalog")
        if planted := [row[0] for row in await connection.fetch(_PLANTED)]:
            raise UnreachableError(
                f"The role {WORKER_ROLE} has made what no worker makes, and migrating might run it as the owner: "
                f"{', '.join(planted)}. Find out who has the worker's password, drop these, then migrate again."
            )


async def require_rights(connection: Connection, pending: Iterable[str]) -> None:
    """Raise UnreachableError, saying what to have an administrator run, where these migrations could not be applied."""
    account = await connection.fetchrow(_ACCOUNT)
    assert account is not None
    roles = await connection.fetch(_ROLES, list(ROLES))
    if account["major"] < _OLDEST_POSTGRES:
        raise UnreachableError(
            f"PostgreSQL {account['version']} is too old: {_OLDEST_POSTGRES} or later is needed. Check DATABASE_URL."
        )
    if not account["owns"]:
        raise _lacks(account["name"], f"ALTER DATABASE {account['database']} OWNER TO {account['name']}")
    lacking = [role["name"] for role in roles if not role["there"]]
    if not account["makes_roles"] and _makes_roles(pending, lacking):
        raise _lacks(account["name"], f"ALTER ROLE {account['name']} CREATEROLE", "Afterwards it need not keep that.")
    if strange := [role["name"] for role in roles if role["there"] and not role["taken"]]:
        raise _lacks(account["name"], f"GRANT {', '.join(strange)} TO {account['name']}")


async def give_to_worker(connection: Connection, read_tables: Iterable[str]) -> None:
    """Let the worker make a schema, and own the tables that it alone writes."""
    await connection.execute(_GRANT)
    for row in await connection.fetch(_STRAYED, list(read_tables)):
        await connection.execute(f"ALTER TABLE {row[0]} OWNER TO {WORKER_ROLE}")


def _makes_roles(pending: Iterable[str], lacking: list[str]) -> bool:
    return any(name.startswith(_MAKES_READER) or (name.startswith(_MAKES_OTHERS) and lacking) for name in pending)


def _lacks(account: str, statement: str, then: str = "") -> UnreachableError:
    said = f"The account {account} may not do all that migrating takes. Have one that may run: {statement}; "
    return UnreachableError(f"{said}then migrate again. {then}".rstrip())
