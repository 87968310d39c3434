"""Lets pages of other origins use the API from a browser (CORS), as CORS_ORIGINS says; app.main puts it in place.

Nobody is recognized by a cookie, so no credentials are ever allowed: a page sends the access token itself.
"""

from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import ClassVar, Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Scope, Send

from app.api.frame.problems import problem_answer
from app.errors import InkfoldError

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
#: What a page may send beside what any page may.
_SENT: Final = (
    "Authorization",
    "Consistency-Token",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "X-Request-ID",
)
#: What a page may read beside what any page may.
_SHOWN: Final = (
    "Allow",
    "Consistency-Token",
    "ETag",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Cache",
    "X-Request-ID",
)
#: How long a browser need not ask again.
_SECONDS: Final = 600


class PreflightRefused(InkfoldError):
    """Pages of this origin may not send such a request here. CORS_ORIGINS names those that may."""

    status: ClassVar[int] = 400
    slug: ClassVar[str] = "preflight-refused"
    title: ClassVar[str] = "Preflight refused"


class Cors(CORSMiddleware):
    """Pure ASGI middleware: Starlette's, which refuses as everything here does."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_SHOWN,
            max_age=_SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks whether a page may send a request."""
        response = super().preflight_response(request_headers)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        return problem_answer(PreflightRefused(), headers={"Vary": response.headers["Vary"]})

    def telling(self, scope: Scope, send: Send) -> Send:
        """Return a `send` that adds what a browser is to be told, for what answers outside of the middleware."""
        return partial(self.send, send=send, request_headers=Headers(scope=scope))
