"""Refuses a request body beyond the limit with a 413 problem, announced by Content-Length or found while it streams."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.frame.problems import ContentTooLarge, problem_answer


class BodyLimit:
    """Pure ASGI middleware. Starlette's own counts what streams in; its plain-text answer is kept from being needed."""

    def __init__(self, app: ASGIApp, *, most_bytes: int) -> None:
        self._app = app
        self._counted = RequestBodyLimitMiddleware(self._answered, max_body_size=most_bytes)
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] == "http":
            length = Headers(scope=scope).get("content-length", "0")
            if length.isdecimal() and (len(length) > len(str(self._most)) or int(length) > self._most):
                await problem_answer(ContentTooLarge())(scope, receive, send)
                return
        await self._counted(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer where not a route but other middleware has read too much, which FastAPI's handlers don't see."""
        try:
            await self._app(scope, receive, send)
        except HTTPException as error:
            if error.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise
            await problem_answer(ContentTooLarge())(scope, receive, send)
