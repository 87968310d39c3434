"""Stands between a process of ours and PostgreSQL or Redis: passes on what both say, and cuts, delays or holds it.

`async with tcp_proxy(url) as proxy` gives `proxy.url`, which leads through it over TCP or a unix socket, as `url` does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

#: In PostgreSQL's protocol: a prepared statement is executed; a transaction begins and ends, as asyncpg says it.
EXECUTE = b"E\x00\x00\x00\x09\x00"  # then comes how many rows are asked for
BEGIN = b"BEGIN"
COMMIT = b"COMMIT;"

_PIECE = 65_536
_PREFIX = 5  # a letter and a length of four bytes
_VERSION_3 = b"\x00\x03\x00\x00"


class Then(Enum):
    """What becomes of the connection on which the message comes that is waited for."""

    CUT_BEFORE = "the message is lost, and the connection with it"
    CUT_AFTER = "the message arrives; its answer is lost, and the connection with it"
    HOLD = "the message waits until it is let go"


@dataclass(eq=False)
class Trap:
    """Waits for one message of a client. `sprung` is set when it came."""

    message: bytes
    then: Then
    of: bytes = b""
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)


class Messages:
    """Cuts what a client of PostgreSQL sends into its messages; what one of another server sends is left as it is."""

    def __init__(self, *, postgres: bool) -> None:
        self._postgres = postgres
        self._rest = b""
        self.greeting = b""

    def of(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that `data` completes."""
        if not self._postgres:
            yield data
            return
        self._rest += data
        while (length := self._length()) and len(self._rest) >= length:
            message, self._rest = self._rest[:length], self._rest[length:]
            if not self.greeting and message[4:8] == _VERSION_3:
                self.greeting = message
            yield message

    def _length(self) -> int:
        """Return the length of the next message, 0 when it can't be told yet. Only what greets begins with a length."""
        begins = 1 if self.greeting else 0
        if len(self._rest) < begins + 4:
            return 0
        return begins + int.from_bytes(self._rest[begins : begins + 4])


@dataclass(frozen=True)
class _Server:
    """Where a server listens, and how a proxy in front of it takes its place in a URL."""

    host: str
    port: int
    socket: Path | None
    postgres: bool

    @classmethod
    def of(cls, url: str) -> "_Server":
        parts = urlsplit(url)
        postgres = parts.scheme.startswith("postgres")
        folder = parse_qs(parts.query).get("host", [""])[0]
        socket = Path(folder) / ".s.PGSQL.5432" if folder else Path(parts.path) if parts.scheme == "unix" else None
        return cls(parts.hostname or "", parts.port or (5432 if postgres else 6379), socket, postgres)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.socket is not None:
            return await asyncio.open_unix_connection(self.socket)
        return await asyncio.open_connection(self.host, self.port)


class TcpProxy:
    """`delay_seconds` holds back each piece of an answer. Made by `tcp_proxy`."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._traps: list[Trap] = []
        self._open: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.delay_seconds = 0.0

    def trap(self, message: bytes, then: Then, *, of: bytes = b"") -> Trap:
        """Wait for the next message that holds these bytes; of a connection that gave this name when it began."""
        self._traps.append(Trap(message, then, of))
        return self._traps[-1]

    def cut_all(self) -> None:
        """Cut every connection."""
        for end in self._open:
            end.transport.abort()

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Pass on what one client and the server say until either ends."""
        try:
            server, to_server = await self._server.connect()
        except OSError:
            to_client.transport.abort()
            return
        ends = {to_client, to_server}
        self._open |= ends
        silent = asyncio.Event()
        ways = (self._ask(client, to_server, silent), self._answer(server, to_client, silent))
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for end in ends:
                end.transport.abort()
            self._open -= ends
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        messages = Messages(postgres=self._server.postgres)
        while data := await client.read(_PIECE):
            for message in messages.of(data):
                trap = self._sprung_by(message, messages.greeting)
                if trap is not None:
                    trap.sprung.set()
                    if trap.then is Then.CUT_BEFORE:
                        return
                    if trap.then is Then.HOLD:
                        await trap.let_go.wait()
                    else:
                        silent.set()
                to_server.write(message)
            await to_server.drain()

    async def _answer(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, silent: asyncio.Event
    ) -> None:
        while data := await server.read(_PIECE):
            if silent.is_set():
                return
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            to_client.write(data)
            await to_client.drain()

    def _sprung_by(self, message: bytes, greeting: bytes) -> Trap | None:
        for trap in self._traps:
            if trap.message in message and trap.of in greeting:
                self._traps.remove(trap)
                return trap
        return None


@asynccontextmanager
async def tcp_proxy(url: str) -> AsyncIterator[TcpProxy]:
    """Listen until the block ends, then cut whatever is open."""
    target = _Server.of(url)
    proxy = TcpProxy(target)
    with TemporaryDirectory(prefix="inkfold-") as folder:
        if target.socket is None:
            listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
            port = listening.sockets[0].getsockname()[1]
            proxy.url = url.replace(f"{target.host}:{target.port}", f"127.0.0.1:{port}")
        else:
            listening = await asyncio.start_unix_server(proxy.serve, Path(folder) / target.socket.name)
            proxy.url = url.replace(str(target.socket.parent), folder)
        try:
            yield proxy
        finally:
            listening.close()
            proxy.cut_all()
