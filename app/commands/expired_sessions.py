"""Forgets refresh tokens that have run out; the worker calls it. It never ends a session that could go on.

A token that has run out is refused like one that never was, so nothing is told by its absence.
"""

from typing import Final

from app.db import Pool

CHUNK: Final = 10_000

_FORGET: Final = """
WITH expired AS (
    SELECT id
    FROM refresh_tokens
    WHERE expires_at <= now()
    ORDER BY expires_at
    LIMIT $1
),

forgotten AS (
    DELETE FROM refresh_tokens t
    USING expired e
    WHERE t.id = e.id
    RETURNING 1
)

SELECT count(*) FROM forgotten
"""


async def forget_expired_sessions(pool: Pool, *, chunk: int = CHUNK) -> int:
    """Drop the tokens whose time has come, each chunk in a transaction of its own; return how many."""
    total = 0
    while forgotten := await pool.fetchval(_FORGET, chunk):
        total += forgotten
    return total
