"""The plans that a session keeps of a step's statements: made once, and again when they have become wrong.

Steps run by them; whoever has taken a step says how it went.
"""

import logging
from collections.abc import Collection
from hashlib import sha256
from typing import Final
from weakref import WeakKeyDictionary

import asyncpg

from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection

log = logging.getLogger(__name__)

#: Beyond so many events a step tells the planner of them; below, its default guess serves.
LARGE: Final = 2_000
#: To plan all folds anew takes a small part of this.
_LONG_SECONDS: Final = 0.1

# Autovacuum analyzes a table that grows from nothing after a minute. Until then nothing is known of it, and what the
# planner guesses of a row's key it may guess of any index: a step then takes as long as there are rows.
_NEVER_ANALYZED: Final = """
SELECT string_agg(c.oid::regclass::text, ', ')
FROM unnest($1::text[]) AS name
JOIN pg_class c ON c.oid = to_regclass(name)
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_relation_size(c.oid) > 0
  AND NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
"""

#: What each session has prepared, by the names that it knows it by.
_prepared: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()


async def prepared(connection: Connection, statement: str) -> str:
    """Return the name under which the session has prepared a statement."""
    name = f"step_{sha256(statement.encode()).hexdigest()[:32]}"
    known = _prepared.setdefault(connection, set())
    if name not in known:
        await connection.execute(f"PREPARE {name} AS {statement}")
        known.add(name)
    return name


async def renew_plans(
    connection: Connection, projections: Collection[Projection], *, events: int, seconds: float
) -> None:
    """Have statements planned anew after a step of so many events that took so long, if their plans suit no other.

    Those of a large step don't suit a small one. One that took long may have been planned when its tables were small:
    PostgreSQL plans anew when it has analyzed them, and not before.
    """
    if seconds > _LONG_SECONDS:
        await _analyze_unknown(connection, projections)
    if events > LARGE or seconds > _LONG_SECONDS:
        await connection.execute("DISCARD PLANS")


async def _analyze_unknown(connection: Connection, projections: Collection[Projection]) -> None:
    """Analyze what never was; if PostgreSQL refuses, a later step may try again: the one before it has happened."""
    names = [table.name for projection in projections for table in projection.tables]
    try:
        unknown = await connection.fetchval(_NEVER_ANALYZED, names)
        if unknown:
            await connection.execute(f"ANALYZE (SKIP_LOCKED) {unknown}")
    except asyncpg.PostgresError as error:
        log.warning("Tables of which PostgreSQL knows nothing could not be analyzed: %s", error)
