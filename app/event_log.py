"""Appends events to the log, as the last statement of a command's transaction. The command store calls it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson

from app.events import Event

_APPEND: Final = """
INSERT INTO event (type, subject_id, actor_id, payload)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::jsonb[])
RETURNING tx::text
"""


async def append(fetch: Callable[..., Awaitable[list[dict[str, Any]]]], events: Sequence[Event]) -> str | None:
    """Append them and return the token; the aggregate's row is locked by now, so its events commit in their order."""
    if not events:
        return None
    rows = await fetch(
        _APPEND,
        [event.type for event in events],
        [event.subject_id for event in events],
        [event.actor_id for event in events],
        [orjson.dumps(event.payload, default=str).decode() for event in events],
    )
    return str(rows[0]["tx"])
