"""Raw ASGI requests, with whatever headers and bytes a server may hand on, and their answers as they are sent."""

from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request without a body; `path` is percent-encoded."""

    method: str
    path: str
    query: bytes = b""
    headers: RawHeaders = field(default=())


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer; its headers in an order of their own."""

    status: int
    headers: RawHeaders
    body: bytes


async def ask(app: ASGIApp, request: RawRequest) -> RawAnswer:
    """Send the request over a unix socket, as far as the app can tell, and return what it sends."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("/run/inkfold.sock", None),
        "client": None,
        "scheme": "http",
        "root_path": "",
        "method": request.method,
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": request.query,
        "headers": list(request.headers),
        "state": {},
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message["body"] for message in sent[1:])
    return RawAnswer(sent[0]["status"], tuple(sorted(sent[0]["headers"])), body)
