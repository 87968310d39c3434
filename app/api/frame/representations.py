"""Representations of an answer: its ETag, itself or compressed, and 304 for whoever has it already (RFC 9110).

Reads are answered through it: by app.api.lane, which keeps representations, and by the middleware here for all others.
"""

from collections.abc import Sequence
from functools import lru_cache
from gzip import compress
from typing import Final, NamedTuple, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.frame.entity_tags import digest, none_match

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

#: Below this, compressing gains less than it costs.
_LEAST_COMPRESSED: Final = 1_000
_LEVEL: Final = 5
#: What the objects of a representation take besides the body.
_OVERHEAD: Final = 2_000

#: Headers that tell of the body alone, and have no place in a 304.
_OF_THE_BODY: Final = frozenset({b"content-type", b"content-length", b"content-encoding", b"link"})


class Variant(NamedTuple):
    """One way to send an answer."""

    etag: bytes
    headers: RawHeaders
    body: bytes


class Representation:
    """The answer to a read, in the ways in which it can be sent.

    `headers` are raw and lower-case, without length and ETag. The tag is made of the body unless `etag` is given.
    """

    __slots__ = ("_gzipped", "_headers", "plain")

    def __init__(self, body: bytes, headers: RawHeaders, *, etag: bytes | None = None) -> None:
        self._headers = _varying(headers)
        self._gzipped: Variant | None = None
        self.plain = self._variant(etag or f'"{digest(body)}"'.encode(), body)

    @property
    def size(self) -> int:
        """About how much memory it takes; a compressed body, which is smaller, is counted as the body."""
        return 2 * len(self.plain.body) + _OVERHEAD

    def select(self, *, accept_encoding: bytes | None) -> Variant:
        """Return the variant for whoever accepts these encodings; compresses once."""
        if accept_encoding is None or len(self.plain.body) < _LEAST_COMPRESSED or not accepts_gzip(accept_encoding):
            return self.plain
        if self._gzipped is None:
            tag = self.plain.etag.removesuffix(b'"') + b'-gzip"'
            self._gzipped = self._variant(
                tag, compress(self.plain.body, _LEVEL, mtime=0), (b"content-encoding", b"gzip")
            )
        return self._gzipped

    def _variant(self, etag: bytes, body: bytes, *also: tuple[bytes, bytes]) -> Variant:
        length = (b"content-length", str(len(body)).encode())
        return Variant(etag, [*self._headers, (b"etag", etag), length, *also], body)


def unchanged(variant: Variant) -> RawHeaders:
    """Return the headers of a 304 that says: you have this variant (RFC 9110, section 15.4.5)."""
    return [header for header in variant.headers if header[0] not in _OF_THE_BODY]


def has(variant: Variant, if_none_match: bytes | None) -> bool:
    """Say whether If-None-Match, as it was sent, means that the client has this variant."""
    return if_none_match is not None and (
        if_none_match == variant.etag or not none_match(variant.etag.decode(), [if_none_match.decode("latin-1")])
    )


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Say whether an Accept-Encoding header allows gzip by name (RFC 9110, section 12.5.3)."""
    for part in accept_encoding.decode("latin-1").lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _varying(headers: RawHeaders) -> RawHeaders:
    """Return the headers with Vary naming what a representation is chosen by."""
    told = [value for name, value in headers if name == b"vary"]
    return [header for header in headers if header[0] != b"vary"] + [(b"vary", b", ".join([*told, b"Accept-Encoding"]))]


class Represented:
    """Pure ASGI middleware: sends the JSON that answers a GET as its representation, unless nobody may keep it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def send_represented(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_representable(message):
                start = message
            elif start is not None and message["type"] == "http.response.body":
                for each in _represented(start, message, scope["headers"]):
                    await send(each)
                start = None
            else:
                await send(message)

        await self._app(scope, receive, send_represented)


def _is_representable(start: Message) -> bool:
    headers = dict(start["headers"])
    return (
        start["status"] == 200  # noqa: PLR2004 - OK
        and headers.get(b"content-type", b"") == b"application/json"
        and b"no-store" not in headers.get(b"cache-control", b"")
        and b"content-length" in headers
    )


def _represented(start: Message, body: Message, sent: Sequence[tuple[bytes, bytes]]) -> list[Message]:
    given = dict(start["headers"])
    headers = [header for header in start["headers"] if header[0] not in {b"content-length", b"etag"}]
    representation = Representation(body["body"], headers, etag=given.get(b"etag"))
    asked = {name: b", ".join(value for each, value in sent if each == name) for name, _ in sent}
    variant = representation.select(accept_encoding=asked.get(b"accept-encoding"))
    if has(variant, asked.get(b"if-none-match")):
        return [{**start, "status": 304, "headers": unchanged(variant)}, {**body, "body": b""}]
    return [{**start, "headers": variant.headers}, {**body, "body": variant.body}]
