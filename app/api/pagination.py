"""The query parameters that lists share, and a page as an answer. The read routes use it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from app.api.answers import json_bytes
from app.errors import InvalidInput
from app.queries.page import Page

#: What a list that shows something different to each viewer says to caches.
PERSONAL: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}

LINK_HEADER: Final[dict[str, Any]] = {
    "Link": {
        "description": "The next page as `rel=next` (RFC 8288); absent on the last one",
        "schema": {"type": "string", "examples": ['</posts/?limit=20&cursor=c3R…>; rel="next"']},
    }
}

_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def _plain_digits(value: object) -> object:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("This must be a whole number between 1 and 100, in digits.")
    return value


async def once_each(request: Request) -> None:
    """Refuse a request in which a query parameter stands more than once: nobody could say which one counts."""
    names = [name for name, _ in request.query_params.multi_items()]
    if len(set(names)) < len(names):
        raise InvalidInput("A query parameter stands here more than once. Send each one once.")


OnceEach: Final = Depends(once_each)

Limit = Annotated[
    int, BeforeValidator(_plain_digits), Query(ge=1, le=100, description="How many items at most", examples=[20])
]
Cursor = Annotated[
    str | None,
    Query(description="`next_cursor` of the page before; without it, the list begins", max_length=200),
]


def page_answer(
    request: Request,
    page: Page[Any],
    *,
    also: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a page, and a Link to the next one that keeps the request's other parameters."""
    sent = {**PERSONAL, **(headers or {})}
    if page.next_cursor is not None:
        link = next_page(request.scope["path"], request.scope["query_string"].decode("latin-1"), page.next_cursor)
        sent["Link"] = f'<{link}>; rel="next"'
    return Response(page_body(page, also=also), media_type="application/json", headers=sent)


def page_body(page: Page[Any], *, also: Mapping[str, Any] | None = None) -> bytes:
    """Write a page as JSON."""
    return json_bytes({"items": page.items, "next_cursor": page.next_cursor, "total": page.total, **(also or {})})


def next_page(path: str, query_string: str, cursor: str) -> str:
    """Return a reference without a host: what the request says of it can't be trusted (RFC 3986, section 4.2)."""
    kept = [(name, value) for name, value in parse_qsl(query_string, keep_blank_values=True) if name != "cursor"]
    return f"{quote(path)}?{urlencode([*kept, ('cursor', cursor)])}"
