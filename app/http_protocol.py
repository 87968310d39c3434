"""uvicorn's HTTP protocol, with bounds on how large the head of a request may be and how long all of it may take.

app.serving has it used. It never answers by itself: what it refuses the application answers, counts and logs in its
turn, told by the scope (see REFUSED), or by the error that reading the body raises.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.errors import HeadersTooLarge, InkfoldError, MalformedRequest, Overloaded, RequestTimeout
from app.http_connections import EndingConnection, LingeringTransport

#: Under which a scope holds the error that its request is answered with, whatever it asks for.
REFUSED: Final = "inkfold.refused"
#: A head that has not ended by then is refused; it may be up to twice as long where it comes all at once.
MOST_HEAD_BYTES: Final = 65_536

_VERSIONS: Final = ("1.1", "1.0")
#: Methods whose bodies nothing here reads.
_BODILESS: Final = ("GET", "HEAD")
#: What stands for a request of which nothing is known but that it is refused.
_UNKNOWN: Final[dict[str, Any]] = {"method": "", "path": "/", "raw_path": b"/", "query_string": b""}


class BoundedHttp(EndingConnection):
    """A connection. Whoever says nothing, or not all of a request, has `request_seconds` to do so."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._refused: InkfoldError | None = None

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
        if self._refused is not None:
            return
        for piece in (data,) if len(data) <= MOST_HEAD_BYTES else _pieces(data):
            super().data_received(piece)
            if self._refused is not None or self.transport.is_closing():
                return
            if self._is_whole():
                if self._deadline is not None:
                    self._end_waiting()
            elif not self._waits_for_more(len(piece)):
                return

    def on_headers_complete(self) -> None:
        """Have the request answered, unless its head is none of HTTP/1 (RFC 9112, sections 2.3 and 3.2)."""
        version = self.parser.get_http_version()
        hosts = [name for name, _ in self.headers if name == b"host"]
        if version not in _VERSIONS or len(hosts) > 1 or (not hosts and version != "1.0"):
            raise MalformedRequest  # the parser passes on that it was refused, and nothing else
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # the parser takes what follows for another protocol, and drops it

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what is no HTTP."""
        self._refuse(MalformedRequest())

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: anyone may ask for another protocol, and is answered in this one."""

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Have the request answered; uvicorn chooses `service_unavailable` where there are too many connections."""
        if app is service_unavailable:
            app = self.app
            cycle.scope[REFUSED] = Overloaded()
            cycle.keep_alive = False
        elif cycle.scope["method"] not in _BODILESS:
            app = partial(self._answer_with_body, app)
        super()._start_asgi_task(cycle, app)

    async def _answer_with_body(self, app: Any, scope: Any, receive: Any, send: Any) -> None:
        """Have a request answered, and reading its body fail when the rest of that is refused."""

        async def received() -> Any:
            message = await receive()
            if self._refused is not None and message.get("more_body"):
                raise self._refused
            return message

        await app(scope, received, send)

    def _is_whole(self) -> bool:
        """Say whether the last request is all here and yet to be answered."""
        cycle = self.cycle
        return cycle is not None and not (cycle.more_body or cycle.response_complete or self._in_head())

    def _in_head(self) -> bool:
        """Say whether the head of a request has not ended: uvicorn adds the method when it has."""
        return self.scope is None or "method" not in self.scope

    def _in_body(self) -> bool:
        """Say whether the body has not ended of a request that is yet to be answered."""
        cycle = self.cycle
        return cycle is not None and cycle.more_body and not (cycle.response_complete or self._in_head())

    def _waits_for_more(self, received: int) -> bool:
        """Expect the rest in time, unless the head is too large already."""
        self._head_bytes = self._head_bytes + received if self._in_head() else 0
        if self._head_bytes >= MOST_HEAD_BYTES:
            self._refuse(HeadersTooLarge())
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
        """End the connection, with an answer where a request has begun that is yet to be answered."""
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.scope is not None and (self._in_head() or self._in_body()):
            self._refuse(RequestTimeout())
        else:
            self.end()

    def _refuse(self, error: InkfoldError) -> None:
        """Have what is arriving answered so, after the requests that came before it, and take in no more."""
        self._refused = error
        self._end_waiting()
        if self._in_body():
            self.cycle.transport = LingeringTransport(self)  # type: ignore[assignment]  # all that it uses of one
            self.cycle.keep_alive = False
            self.cycle.message_event.set()
            return
        is_next = self.cycle is None or self.cycle.response_complete
        self.cycle = self._refused_cycle(error)
        if is_next:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))

    def _refused_cycle(self, error: InkfoldError) -> RequestResponseCycle:
        self.on_message_begin()  # a scope and headers that hold nothing of what was sent
        scope: Any = {**self.scope, **_UNKNOWN, REFUSED: error}
        return RequestResponseCycle(
            scope=scope,
            transport=LingeringTransport(self),  # type: ignore[arg-type]  # all that it uses of one
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + MOST_HEAD_BYTES] for start in range(0, len(data), MOST_HEAD_BYTES))
