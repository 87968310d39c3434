"""Refuses a request whose path and query, or whose header fields, are beyond any use here: 414 and 431 problems.

It answers, too, what app.http_protocol has refused already.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.frame.problems import UriTooLong, problem_answer
from app.errors import HeadersTooLarge
from app.http_protocol import REFUSED

#: What RFC 9110, section 4.1, recommends to take at the least is 8,000.
LONGEST_TARGET: Final = 8_192
MOST_HEADER_BYTES: Final = 65_536
MOST_HEADERS: Final = 100


class HeadLimit:
    """Pure ASGI middleware. What uvicorn has taken is in memory by then: app.serving bounds that, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] == "http":
            if REFUSED in scope:
                await problem_answer(scope[REFUSED])(scope, receive, send)
                return
            if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > LONGEST_TARGET:
                await problem_answer(UriTooLong())(scope, receive, send)
                return
            headers = scope["headers"]
            if (
                len(headers) > MOST_HEADERS
                or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES
            ):
                await problem_answer(HeadersTooLarge())(scope, receive, send)
                return
        await self._app(scope, receive, send)
