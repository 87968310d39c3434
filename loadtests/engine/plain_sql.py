"""The limit that a fold is measured by: the same events grouped and upserted by one plain statement per table.

Into copies of the read tables, with their rows, indexes and storage; nothing else is kept: no steps, no checkpoint.
"""

import time
from dataclasses import dataclass
from typing import Final

import asyncpg
import psutil

from projections.engine.catalog import columns_of, key_of
from projections.engine.checkpoint import Connection
from projections.engine.likeness import complete, create
from projections.registry import PROJECTIONS

_SCHEMA: Final = "plain_sql"

_OPEN: Final = f"""
CREATE SCHEMA {_SCHEMA};
CREATE VIEW {_SCHEMA}.likes AS
    SELECT
        e.subject_id AS post_id,
        e.actor_id AS user_id,
        (e.payload ->> 'liked_at')::timestamptz AS created_at,
        (e.payload ->> 'author_id')::uuid AS author_id
    FROM event e
    WHERE e.tx >= '{{first}}'
"""

_COUNT: Final = """
UPDATE {table} r
SET {column} = r.{column} + d.likes
FROM (SELECT l.{by} AS id, count(*) AS likes FROM likes l GROUP BY l.{by}) d
WHERE r.{key} = d.id
"""

# What the definition says of the new likes alone, added to what is there.
_UPSERT: Final = """
INSERT INTO {table} AS r ({columns})
SELECT {columns}
FROM ({definition}) d
ORDER BY {key}
ON CONFLICT ({key}) DO UPDATE SET {change}
"""

#: Counters of rows that are there, whatever is liked: which column counts likes by which of theirs.
_COUNTED: Final = {
    "read_post": ("like_count", "post_id", "id"),
    "read_post_rank": ("like_count", "post_id", "post_id"),
    "read_profile": ("likes_received", "author_id", "user_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something took: seconds by the clock, and of a PostgreSQL session's processor."""

    seconds: float
    processor: float


async def plain_sql(dsn: str, *, first: int) -> dict[str, Cost]:
    """Return what each read table takes for the likes written in transactions from `first` on, and drop the copies."""
    connection = await asyncpg.connect(
        dsn, server_settings={"synchronous_commit": "off", "jit": "off", "TimeZone": "UTC", "work_mem": "32MB"}
    )
    try:
        await connection.execute(_OPEN.format(first=first))
        tables = [name for name in _tables() if name in _COUNTED or "like" in name]
        for table in tables:
            place = f"{_SCHEMA}.{table}"
            await create(connection, f"public.{table}", place)
            await connection.execute(f"INSERT INTO {place} SELECT * FROM public.{table}")
            await complete(connection, f"public.{table}", place)
        await connection.execute(f"SET search_path TO {_SCHEMA}, public")
        return {table: await _measured(connection, await _statement(connection, table)) for table in tables}
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
        await connection.close()


def processor_seconds(pid: int) -> float:
    """Return how long a process has been on a processor; 0 where it has ended."""
    try:
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


def _tables() -> dict[str, str]:
    return {table.name: table.definition for projection in PROJECTIONS for table in projection.tables}


async def _statement(connection: Connection, table: str) -> str:
    if table in _COUNTED:
        column, by, key = _COUNTED[table]
        return _COUNT.format(table=table, column=column, by=by, key=key)
    columns = await columns_of(connection, table)
    summed = "likes" in columns.split(", ")
    return _UPSERT.format(
        table=table,
        columns=columns,
        definition=_tables()[table],
        key=", ".join(await key_of(connection, table)),
        change="likes = r.likes + excluded.likes" if summed else "liked_at = excluded.liked_at",
    )


async def _measured(connection: Connection, statement: str) -> Cost:
    pid = connection.get_server_pid()
    began, before = time.monotonic(), processor_seconds(pid)
    await connection.execute(statement)
    return Cost(seconds=time.monotonic() - began, processor=processor_seconds(pid) - before)
