"""A client over one connection, which it opens again when that broke or lay idle; it notes what it was answered."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from loadtests.bench.client import Answer, Wire
from loadtests.bench.figures import LineFailedError

Kind: TypeAlias = Literal["read", "write"]

GOOD: Final = range(200, 300)
#: From here on, the fault is the server's.
SERVER_ERROR: Final = 500
#: In the place of a status where no answer came.
NO_ANSWER: Final = 0

#: Longer than the API takes to give up, whatever it waits for.
_PATIENCE_SECONDS: Final = 45.0
#: uvicorn closes a connection that lies idle for five seconds.
_IDLE_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one request, and when (time.monotonic)."""

    kind: Kind
    what: str
    status: int
    sent: float
    at: float

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.status in GOOD

    @property
    def failed(self) -> bool:
        """Whether the server did not do its part."""
        return self.status == NO_ANSWER or self.status >= SERVER_ERROR


def request(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    """Return a request as HTTP/1.1 wants it, its body JSON."""
    signed = f"Authorization: Bearer {token}\r\n" if token else ""
    typed = "Content-Type: application/json\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: inkfold.test\r\n{signed}{typed}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


@dataclass(slots=True)
class Client:
    """Someone who sends one request at a time; `answers` may be shared with others."""

    port: int
    token: str = ""
    answers: list[Answered] = field(default_factory=list)
    _wire: Wire | None = None
    _used: float = 0.0

    async def ask(
        self, kind: Kind, method: str, path: str, body: Mapping[str, Any] | None = None, *, what: str = ""
    ) -> Answer | None:
        """Send a request; None where there was no answer, so that nobody knows what became of it."""
        sent = time.monotonic()
        answer = await self._answer(
            request(method, path, token=self.token, body=b"" if body is None else orjson.dumps(body))
        )
        self._used = time.monotonic()
        status = NO_ANSWER if answer is None else answer.status
        self.answers.append(
            Answered(kind=kind, what=what or f"{method} {path}", status=status, sent=sent, at=self._used)
        )
        return answer

    async def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.__aexit__(None, None, None)

    async def _answer(self, sent: bytes) -> Answer | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await (await self._open()).ask(sent)
        except (OSError, LineFailedError):  # TimeoutError among them
            await self.close()
            return None
        if dict(answer.headers).get(b"connection", b"").lower() == b"close":
            await self.close()
        return answer

    async def _open(self) -> Wire:
        if time.monotonic() - self._used > _IDLE_SECONDS:
            await self.close()
        if self._wire is None:
            self._wire = await Wire(self.port).__aenter__()
        return self._wire


def problem(answer: Answer) -> str:
    """Return the slug of the problem that an answer tells of; nothing when it tells of none."""
    try:
        kind = orjson.loads(answer.body)["type"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(kind).rstrip("/").rpartition("/")[2]


def retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float:
    """Return how many seconds an answer asks to wait; one if it doesn't say."""
    said = dict(headers).get(b"retry-after", b"1")
    return float(said) if said.isdigit() else 1.0
