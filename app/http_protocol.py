"""uvicorn's HTTP protocol, with bounds on how large the head of a request may be and how long all of it may take.

app.serving has it used. What it answers by itself are problems (RFC 9457), as the application's answers are.
"""

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar, Final

import orjson
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: A head that has not ended by then is refused; it may be up to twice as long where it comes all at once.
MOST_HEAD_BYTES: Final = 65_536
#: How long what a refused client still sends is read and thrown away.
_LINGER_SECONDS: Final = 2


class BoundedHttp(HttpToolsProtocol):
    """A connection. Whoever says nothing, or not all of a request, has `request_seconds` to do so."""

    request_seconds: ClassVar[float] = 30

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Expect a request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.request_seconds, self._refuse_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._end_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request, or several requests; nothing more of whoever is refused."""
        if self._refused:
            return
        for piece in (data,) if len(data) <= MOST_HEAD_BYTES else _pieces(data):
            super().data_received(piece)
            if self._refused or self.transport.is_closing():
                return
            if self._is_whole():
                if self._deadline is not None:
                    self._end_waiting()
            elif not self._waits_for_more(len(piece)):
                return

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Have the request answered; uvicorn chooses `service_unavailable` where there are too many connections."""
        super()._start_asgi_task(cycle, _overloaded if app is service_unavailable else app)

    def _is_whole(self) -> bool:
        """Say whether the last request is all here and yet to be answered."""
        cycle = self.cycle
        return cycle is not None and not (cycle.more_body or cycle.response_complete or self._in_head())

    def _in_head(self) -> bool:
        """Say whether the head of a request has not ended: uvicorn adds the method when it has."""
        return self.scope is None or "method" not in self.scope

    def _waits_for_more(self, received: int) -> bool:
        """Expect the rest in time, unless the head is too large already."""
        self._head_bytes = self._head_bytes + received if self._in_head() else 0
        if self._head_bytes >= MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return False
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.request_seconds, self._refuse_slow)
        return True

    def _end_waiting(self) -> None:
        self._head_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse_slow(self) -> None:
        """End the connection, with an answer where the request that is not whole is the one to be answered next."""
        self._deadline = None
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.transport.is_closing():
            return
        if (
            self.scope is None
            or self.pipeline
            or answering == self._in_head()
            or (answering and self.cycle.response_started)
        ):
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer and close; not at once, since to close on what is yet to be read would take the answer away."""
        body = _problem(status)
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self._refused = True
        self._end_waiting()
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(_LINGER_SECONDS, self.transport.close)


async def _overloaded(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI's signature
    body = _problem(HTTPStatus.SERVICE_UNAVAILABLE)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": int(HTTPStatus.SERVICE_UNAVAILABLE), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _problem(status: HTTPStatus) -> bytes:
    """Return a problem that says no more than its status does (RFC 9457, section 4.2.1)."""
    return orjson.dumps({"type": "about:blank", "title": status.phrase, "status": int(status)})


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + MOST_HEAD_BYTES] for start in range(0, len(data), MOST_HEAD_BYTES))
