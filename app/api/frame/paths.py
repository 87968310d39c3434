"""Lets every path work with and without its trailing slash, without a redirect; answers HEAD as GET without a body."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What stands under these is declared without a trailing slash; everything else is declared with one.
_WITHOUT_SLASH: Final = ("/health", "/metrics", "/docs", "/redoc", "/openapi.json")


class TrailingSlashes:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] == "http":
            scope["path"] = declared_path(scope["path"], root=scope.get("root_path", ""))
        await self._app(scope, receive, send)


class HeadRequests:
    """Pure ASGI middleware; RFC 9110, section 9.3.2."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            scope["method"] = "HEAD"  # before the server sees the answer: it counts the body's bytes
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        try:
            await self._app(scope, receive, send_without_body)
        finally:
            scope["method"] = "HEAD"


def inner_path(scope: Scope) -> str:
    """Return the path without the prefix that a proxy serves the app under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


def declared_path(path: str, *, root: str) -> str:
    """Return the path in the form in which it is declared; `root` is the prefix that a proxy serves the app under."""
    inner = path.removeprefix(root.rstrip("/"))
    if any(inner == bare or inner.startswith(f"{bare}/") for bare in _WITHOUT_SLASH):
        return path.removesuffix("/")
    return path if path.endswith("/") else f"{path}/"
