"""Gives each request an id, taken from X-Request-ID when the client sends a usable one, and answers with it.

The access log and the problem of an unexpected error quote it. Outermost of the middleware.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import getrandbits
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-ID"
_RAW_HEADER: Final = HEADER.lower().encode()

_USABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="-")


def request_id() -> str:
    """Return the id of the request being answered, or "-" outside of one."""
    return _current.get()


def about_request() -> dict[str, str]:
    """Return what a log line says of the request being answered; nothing outside of one."""
    current = _current.get()
    return {} if current == "-" else {"request_id": current}


def id_for(sent: bytes | None) -> str:
    """Return the id that the client sent, if it is usable, else a new one."""
    return sent.decode() if sent and _USABLE.fullmatch(sent) else f"{getrandbits(64):016x}"


@contextmanager
def naming(current: str) -> Iterator[None]:
    """Let what is logged in the block name this request."""
    token = _current.set(current)
    try:
        yield
    finally:
        _current.reset(token)


class RequestIds:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        current = id_for(dict(scope["headers"]).get(_RAW_HEADER))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = current
            await send(message)

        with naming(current):
            await self._app(scope, receive, send_with_id)
