"""Bodies and texts that no client of good will sends, and the connection that sends one and reads the answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from loadtests.hostile.client import NO_ANSWER
from loadtests.hostile.system import HOST

Framing: TypeAlias = Literal["length", "chunked"]

_MEGABYTE: Final = 1_000_000
_PIECE: Final = b"x" * 50_000
_PATIENCE_SECONDS: Final = 60.0
_DEEP: Final = 100_000
_DIGITS: Final = b"9" * 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A request, its body in pieces, and the statuses that may answer it."""

    name: str
    pieces: Callable[[], Iterator[bytes]]
    statuses: frozenset[int]
    framing: Framing = "length"
    method: str = "POST"
    path: str = "/posts/"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def head(self, token: str) -> bytes:
        """Return the request up to its body."""
        length = sum(map(len, self.pieces()))
        framed = "Transfer-Encoding: chunked" if self.framing == "chunked" else f"Content-Length: {length}"
        others = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        signed = f"Authorization: Bearer {token}\r\n"
        line = f"{self.method} {self.path} HTTP/1.1\r\nHost: inkfold.test\r\n"
        return f"{line}{signed}{others}{framed}\r\n\r\n".encode("ascii")

    def framed(self) -> Iterator[bytes]:
        """Yield the body as it goes over the wire."""
        for piece in self.pieces():
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if self.framing == "chunked" else piece
        if self.framing == "chunked":
            yield b"0\r\n\r\n"


def hostile_requests(megabytes: int) -> list[Hostile]:
    """Return all of them; the largest bodies have so many megabytes."""

    def large() -> Iterator[bytes]:
        for _ in range(megabytes * _MEGABYTE // len(_PIECE)):
            yield _PIECE

    return [
        _hostile(f"{megabytes} MB with a Content-Length", large, 413),
        _hostile(f"{megabytes} MB in chunks", large, 413, framing="chunked"),
        _hostile(f"{megabytes} MB to sign in with", large, 413, path="/auth/login/", framing="chunked"),
        _hostile(f"{megabytes} MB that GET sends", large, 200, 400, 413, path="/posts/", method="GET"),
        *(_text(name, text, *statuses) for name, text, statuses in _TEXTS),
        _hostile("NUL in a path", _nothing, 404, 422, path="/posts/%00/", method="GET"),
        _hostile("NUL in a query", _nothing, 422, path="/posts/?cursor=%00", method="GET"),
        _hostile("5,000 digits in a query", _nothing, 422, path=f"/posts/?limit={_DIGITS.decode()}", method="GET"),
    ]


_TEXTS: Final[tuple[tuple[str, bytes, tuple[int, ...]], ...]] = (
    ("arrays 100,000 deep", b"[" * _DEEP + b"]" * _DEEP, (400,)),
    ("arrays 100,000 deep, left open", b"[" * _DEEP, (400,)),
    ("objects 100,000 deep", b'{"a":' * _DEEP + b"1" + b"}" * _DEEP, (400,)),
    ("arrays 100,000 deep in a field", b'{"title": ' + b"[" * _DEEP + b"]" * _DEEP + b"}", (400,)),
    ("an integer of 5,000 digits", b'{"title": ' + _DIGITS + b', "content": "c"}', (400, 422)),
    ("a lone surrogate, escaped", b'{"title": "\\ud800", "content": "c"}', (400, 422)),
    ("a lone surrogate in a name", b'{"\\udc00": 1}', (400, 422)),
    ("a lone surrogate, in bytes", b'{"title": "\xed\xa0\x80", "content": "c"}', (400, 422)),
    ("NUL, escaped", b'{"title": "a\\u0000b", "content": "c"}', (422,)),
    ("NUL, as a byte", b'{"title": "a\x00b", "content": "c"}', (400, 422)),
    ("NaN", b'{"title": NaN, "content": "c"}', (400, 422)),
    ("a megabyte of empty lists", b"[" + b"[]," * 330_000 + b"[]]", (400, 422)),
    ("a megabyte of fields", b"{" + b",".join(b'"%06d":0' % n for n in range(90_000)) + b"}", (400, 422)),
)


def _hostile(
    name: str,
    pieces: Callable[[], Iterator[bytes]],
    *statuses: int,
    framing: Framing = "length",
    method: str = "POST",
    path: str = "/posts/",
) -> Hostile:
    return Hostile(name=name, pieces=pieces, statuses=frozenset(statuses), framing=framing, method=method, path=path)


def _text(name: str, text: bytes, *statuses: int) -> Hostile:
    return _hostile(name, lambda: iter((text,)), *statuses)


def _nothing() -> Iterator[bytes]:
    return iter(())


async def send(port: int, token: str, hostile: Hostile) -> int:
    """Send it until it is answered; return the status, or NO_ANSWER."""
    async with _connected(port) as connection:
        sending = asyncio.create_task(_send(connection, hostile, token))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await _status(connection)
        except OSError:  # TimeoutError among them
            return NO_ANSWER
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


# Bare sockets: a transport that can't write any more gives up what has come in, too, and the answer with it.


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[socket.socket]:
    with socket.socket() as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (HOST, port))
        yield connection


async def _send(connection: socket.socket, hostile: Hostile, token: str) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):  # refused on the way: what counts is the answer
        await loop.sock_sendall(connection, hostile.head(token))
        for piece in hostile.framed():
            await loop.sock_sendall(connection, piece)


async def _status(connection: socket.socket) -> int:
    loop, head = asyncio.get_running_loop(), b""
    while b"\r\n\r\n" not in head:
        part = await loop.sock_recv(connection, 65_536)
        if not part:
            return NO_ANSWER
        head += part
    return int(head.split(b" ", 2)[1])
