"""Whether the servers that the settings name can be reached, and a sentence where they can't; never a password.

The command line asks before it starts anything, and `inkfold up` before it starts the rest.
"""

import asyncio
import os
import re
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

_PATIENCE_SECONDS: Final = 5
_ERRNO = re.compile(r"\[Errno (\d+)\]")


class UnreachableError(Exception):
    """A server can't be used; the message says which one, why, and which setting to check."""


async def connect(database_url: str, *, server_settings: dict[str, str] | None = None) -> asyncpg.Connection:
    """Return a connection to PostgreSQL; raises UnreachableError."""
    try:
        return await asyncpg.connect(database_url, timeout=_PATIENCE_SECONDS, server_settings=server_settings)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise UnreachableError(_sentence("PostgreSQL", "DATABASE_URL", database_url, error)) from error


def require_postgres(database_url: str) -> None:
    """Connect to PostgreSQL once; raises UnreachableError."""

    async def look() -> None:
        await (await connect(database_url)).close()

    asyncio.run(look())


def require_redis(redis_url: str) -> None:
    """Have Redis answer once; raises UnreachableError."""
    from redis import Redis, RedisError  # noqa: PLC0415 - app.cli imports this module at every start

    try:
        with Redis.from_url(
            redis_url, socket_connect_timeout=_PATIENCE_SECONDS, socket_timeout=_PATIENCE_SECONDS
        ) as redis:
            redis.ping()
    except (OSError, ValueError, RedisError) as error:
        raise UnreachableError(_sentence("Redis", "REDIS_URL", redis_url, error)) from error


def _sentence(server: str, setting: str, url: str, error: Exception) -> str:
    return f"Can't reach {server} {_place(url) or f'where {setting} says'}: {_reason(error)}. Check {setting}."


def _place(url: str) -> str | None:
    with suppress(ValueError):
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        port = parts.port or next(iter(options.get("port", ())), None)
        if host := parts.hostname or next(iter(options.get("host", ())), None):
            shown = f"[{host}]" if ":" in host else host
            return f"at {shown}:{port}" if port else f"at {shown}"
        if parts.scheme == "unix":
            return f"at {parts.path}"
    return None


def _reason(error: Exception) -> str:
    # redis-py wraps what the system said, and asyncpg raises it as it is.
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {_PATIENCE_SECONDS} s"
    if isinstance(cause, OSError):
        found = _ERRNO.search(str(cause))
        reason = os.strerror(int(found[1])) if found else cause.strerror or str(cause)
        return reason[:1].lower() + reason[1:]
    if isinstance(cause, ValueError) and not isinstance(cause, asyncpg.InterfaceError):
        return "the URL can't be read"  # what could not be read may be a piece of the password
    return str(cause).rstrip(".")
