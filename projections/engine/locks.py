"""Session advisory locks: who may step a projection, and who may build one. A session's end lets go of its locks."""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from projections.engine.checkpoint import Connection

#: First half of the locks' keys, so that they meet no lock of another kind.
LOCK_CLASS: Final = 1_229_867_846

#: The lock of whoever builds; no projection can have this name.
BUILDING: Final = ":building"

_TRY_LOCK = """
SELECT name
FROM unnest($1::text[]) AS name
WHERE pg_try_advisory_lock($2, hashtext(name))
"""

_UNLOCK = "SELECT pg_advisory_unlock($2, hashtext(name)) FROM unnest($1::text[]) AS name"

_PREPARE = """
CREATE OR REPLACE FUNCTION pg_temp.lock_all(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    taken text[] := ARRAY(
        SELECT name
        FROM unnest(names) AS name
        WHERE pg_try_advisory_lock({lock_class}, hashtext(name))
    );
BEGIN
    IF cardinality(taken) < cardinality(names) THEN
        PERFORM pg_advisory_unlock({lock_class}, hashtext(name)) FROM unnest(taken) AS name;
        RAISE 'another session has one of them' USING ERRCODE = 'lock_not_available';
    END IF;
END
$$
"""

# A process that was stopped in the middle of a statement, of which PostgreSQL awaits the rest: that counts as neither
# idle nor idle in transaction, so none of the session's timeouts ends it. Whoever runs under a role may end sessions
# of its own account as that account only.
_END_SILENT = """
SELECT pg_terminate_backend(a.pid)
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
  AND l.granted
  AND l.classid = $2
  AND l.objid::bigint IN (SELECT hashtext(name)::bit(32)::bigint FROM unnest($1::text[]) AS name)
  AND l.objsubid = 2
  AND a.datname = current_database()
  AND a.state = 'active'
  AND a.wait_event = 'ClientRead'
  AND a.query NOT ILIKE 'COPY%'
  AND a.query_start < clock_timestamp() - interval '2 s'
"""

_HOLDER = """
SELECT pid
FROM pg_locks
WHERE locktype = 'advisory'
  AND granted
  AND classid = $2
  AND objid::bigint = hashtext($1)::bit(32)::bigint
  AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def prepare_locks(connection: Connection) -> None:
    """Make what `locking_all` calls; once per connection."""
    await connection.execute(_PREPARE.format(lock_class=LOCK_CLASS))


def locking_all(names: Collection[str]) -> str:
    """Return the statement that takes the locks of all, or of none; it fails with 55P03 when one is not free."""
    return f"SELECT pg_temp.lock_all({text_array(names)})"


def unlocking(names: Collection[str]) -> str:
    """Return the statement that gives them back."""
    return f"SELECT pg_advisory_unlock({LOCK_CLASS}, hashtext(name)) FROM unnest({text_array(names)}) AS name"


def text_array(names: Iterable[str]) -> str:
    """Return the expression that stands for these names, whatever they are, in a statement without parameters."""
    literals = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"ARRAY[{literals}]::text[]"


async def lock(connection: Connection, names: Collection[str]) -> list[str]:
    """Take the session's lock of each projection that no other session holds; return those taken.

    Sessions that hold a projection's, and whose process fell silent in a statement 2 s ago, are ended.
    """
    taken = [row["name"] for row in await connection.fetch(_TRY_LOCK, list(names), LOCK_CLASS)]
    missing = [name for name in names if name not in taken and name != BUILDING]
    if missing:
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE NONE")
            await connection.execute(_END_SILENT, missing, LOCK_CLASS)
    return taken


async def lock_waiting(connection: Connection, names: Collection[str]) -> None:
    """Take the session's lock of every projection, waiting for whoever holds one; all of them or none."""
    taken = []
    try:
        for name in sorted(names):
            await connection.execute("SELECT pg_advisory_lock($1, hashtext($2))", LOCK_CLASS, name)
            taken.append(name)
    except asyncpg.PostgresError:
        if not connection.is_closed():
            await unlock(connection, taken)
        raise


async def unlock(connection: Connection, names: Collection[str]) -> None:
    """Give the session's locks back."""
    await connection.execute(_UNLOCK, list(names), LOCK_CLASS)


@asynccontextmanager
async def holding(connection: Connection, names: Collection[str]) -> AsyncIterator[None]:
    """Hold the locks of all `names`; raises asyncpg.LockNotAvailableError past the session's lock_timeout."""
    await lock_waiting(connection, names)
    try:
        yield
    finally:
        if not connection.is_closed():
            await unlock(connection, names)


@asynccontextmanager
async def holding_free(connection: Connection, names: Collection[str]) -> AsyncIterator[Collection[str]]:
    """Hold the locks of those projections that are free, and yield them; if none is, wait for all of them."""
    locked = await lock(connection, names)
    try:
        if not locked:  # another worker is folding; what it has not seen is ours when it is done
            await lock_waiting(connection, names)
            locked = list(names)
        yield locked
    finally:
        if not connection.is_closed():
            await unlock(connection, locked)


async def holder(connection: Connection, name: str) -> int | None:
    """Return the process id of the backend that holds a lock, or None."""
    pid: int | None = await connection.fetchval(_HOLDER, name, LOCK_CLASS)
    return pid
