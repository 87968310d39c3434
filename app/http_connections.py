"""A connection over which uvicorn answers, that ends even if its client never takes what is sent.

app.http_protocol reads requests from it.
"""

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: How long what a refused client still sends is read and thrown away.
_LINGER_SECONDS: Final = 2


class EndingConnection(HttpToolsProtocol):
    """Whoever does not take what is sent has `request_seconds` to do so; then the connection is cut.

    Else it would never end, nor be closed, and a few thousand of them would keep everyone from being served.
    """

    request_seconds: ClassVar[float] = 30

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cut: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for the client no longer."""
        self._spare()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Write no more until the client has taken most of what is written."""
        super().pause_writing()
        self._cut_later()

    def resume_writing(self) -> None:
        """Write again."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._spare()

    def on_response_complete(self) -> None:
        """Go on with the next request, if there is to be one."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._cut_later()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which nothing comes."""
        self.end()

    def end(self) -> None:
        """Close, as soon as the client has taken what is written."""
        self.transport.close()
        self._cut_later()

    def linger(self) -> None:
        """Send no more, and close a moment later: to close on what is yet to be read would take the answer away."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.end)

    def _cut_later(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(self.request_seconds, self.transport.abort)

    def _spare(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


class LingeringTransport:
    """What a cycle of uvicorn uses of a transport; to close it is to linger."""

    def __init__(self, connection: EndingConnection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Send."""
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        """Say whether nothing can be sent any more."""
        return self._connection.transport.is_closing()

    def close(self) -> None:
        """Linger."""
        self._connection.linger()
