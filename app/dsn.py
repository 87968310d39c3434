"""DATABASE_URL in the forms its users need: asyncpg takes it as it is, Tortoise wants its parts, people the server."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def connection_parts(dsn: str) -> dict[str, Any]:
    """Split a postgresql:// URL into Tortoise credentials; a socket directory may stand in `?host=`.

    Raises ValueError when the URL is not one of PostgreSQL.
    """
    url = urlsplit(dsn)
    if url.scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"DATABASE_URL must start with postgresql://, not {url.scheme or 'nothing'}://")
    options = dict(parse_qsl(url.query))
    parts: dict[str, Any] = {
        "host": unquote(url.hostname or options.get("host", "localhost")),
        "port": url.port or int(options.get("port", "5432")),
        "user": unquote(url.username or options.get("user", "postgres")),
        "password": unquote(url.password) if url.password else options.get("password"),
        "database": unquote(url.path.lstrip("/")) or options.get("dbname", "postgres"),
    }
    if "sslmode" in options:
        parts["ssl"] = options["sslmode"]
    return parts


def server_of(dsn: str) -> str:
    """Return host and port of a postgresql:// URL, to be shown; raises ValueError, without a word of the password."""
    try:
        parts = connection_parts(dsn)
    except ValueError:
        raise ValueError("it can't be read as a URL") from None
    return f"{parts['host']}:{parts['port']}"
