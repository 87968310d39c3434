"""Turns what commands and queries return into JSON answers. Every route of the API answers through it."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from app.command_store import Committed

CONSISTENCY_TOKEN = "Consistency-Token"  # noqa: S105 - a header's name

_OPTIONS = orjson.OPT_UTC_Z


def json_bytes(value: Any) -> bytes:
    """Write JSON; ids and moments of time are written by orjson, the latter in UTC with a Z (RFC 3339)."""
    return orjson.dumps(value, default=str, option=_OPTIONS)  # asyncpg's UUIDs are a subclass, left to `default`


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(
        json_bytes(value),
        status_code=status,
        headers=None if headers is None else dict(headers),
        media_type="application/json",
    )


def command_answer(
    committed: Committed[Any],
    value: Any = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer a command: `value` as JSON, or nothing with 204, and the token by which reads can wait for the change."""
    sent = dict(headers or {})
    if committed.token is not None:
        sent[CONSISTENCY_TOKEN] = committed.token
    if status == 204:  # noqa: PLR2004 - No Content
        return Response(status_code=204, headers=sent)
    return json_answer(value, status=status, headers=sent)
