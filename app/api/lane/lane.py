"""Answers what is asked for most ahead of FastAPI and its middleware: reads out of what is kept, likes, subscriptions.

app.main asks it first. Whoever is answered here gets what FastAPI would have answered; whatever is unusual, or not
found, or not yet to be seen by whoever wrote it, is passed on, and noted as counted towards its rate limit.
"""

import time
from typing import Final

from starlette.types import Scope, Send

from app.api.frame.access_log import Answered
from app.api.frame.problems import problem_answer
from app.api.frame.rate_limits import note_standings, rate_limit_headers
from app.api.frame.representations import RawHeaders, has, unchanged
from app.api.frame.request_ids import HEADER, id_for
from app.api.frame.security_headers import RAW_HEADERS
from app.api.lane.asked import Asked, asked
from app.api.lane.sources import Sources
from app.api.lane.switched import Switched, switched
from app.api.operations.metrics import CLOSED, Metrics
from app.command_store import CommandStore
from app.errors import InkfoldError, Overloaded, Unavailable
from app.http_protocol import REFUSED
from app.rate_limits.policies import Standings, refusal
from app.rate_limits.rate_limits import RateLimits

_ID_HEADER: Final = HEADER.lower().encode()

Found = tuple[int, RawHeaders, bytes]


class FastLane:
    """One per process, while it serves."""

    def __init__(self, sources: Sources, store: CommandStore, *, metrics: Metrics, rate_limits: RateLimits) -> None:
        self._sources = sources
        self._store = store
        self._metrics = metrics
        self._rate_limits = rate_limits

    async def answer(self, scope: Scope, send: Send) -> bool:
        """Answer a request, or return False for FastAPI to answer it."""
        if scope["type"] != "http" or REFUSED in scope:
            return False
        if scope["method"] == "GET":
            request = asked(scope, self._sources.access_tokens)
            return request is not None and await self._read(request, scope, send)
        command = switched(scope, self._sources.access_tokens)
        if command is None:
            return False
        await self._run(command, scope, send)
        return True

    async def _read(self, request: Asked, scope: Scope, send: Send) -> bool:
        began = time.perf_counter()
        self._metrics.answering += 1
        id_ = id_for(request.headers.get(_ID_HEADER))
        status: int | None = CLOSED
        try:
            standings = self._rate_limits.read(request.viewer_id, scope.get("client"))
            found = _refused(standings) or await _found(request, self._sources)
            if found is None:
                status = None  # FastAPI counts it
                note_standings(scope, standings)
                return False
            status, headers, body = found
            await _send(send, status, [*headers, *rate_limit_headers(standings), (_ID_HEADER, id_.encode())], body)
        finally:
            self._metrics.answering -= 1
            if status is not None:
                self._note(id_, scope, request.screen.route, status, began)
        return True

    async def _run(self, command: Switched, scope: Scope, send: Send) -> None:
        began = time.perf_counter()
        self._metrics.answering += 1
        id_, status = id_for(command.sent_id), CLOSED
        try:
            standings = self._rate_limits.write(command.user.id, scope.get("client"))
            found = _refused(standings)
            if found is None:
                response = await command.answer(self._store, id_)
                found = response.status_code, [*response.raw_headers, *RAW_HEADERS], bytes(response.body)
            status, headers, body = found
            await _send(send, status, [*headers, *rate_limit_headers(standings), (_ID_HEADER, id_.encode())], body)
        finally:
            self._metrics.answering -= 1
            self._note(id_, scope, command.kind.route, status, began)

    def _note(self, id_: str, scope: Scope, route: str, status: int, began: float) -> None:
        seconds = time.perf_counter() - began
        self._metrics.note(Answered(time.time(), id_, scope["method"], scope["path"], route, status, seconds))


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refused(standings: Standings) -> Found | None:
    """Return the answer to whoever has asked too often."""
    error = refusal(standings) if standings else None
    return None if error is None else _problem(error)


def _problem(error: InkfoldError) -> Found:
    problem = problem_answer(error)
    return problem.status_code, [*problem.raw_headers, *RAW_HEADERS], bytes(problem.body)


async def _found(request: Asked, sources: Sources) -> Found | None:
    try:
        representation = await sources.representation(request)
    except (Overloaded, Unavailable) as error:
        return _problem(error)
    except Exception:  # noqa: BLE001 - whatever it is, FastAPI asks again and says it as for everybody
        return None
    if representation is None:
        return None
    variant = representation.select(accept_encoding=request.headers.get(b"accept-encoding"))
    if has(variant, request.headers.get(b"if-none-match")):
        return 304, unchanged(variant), b""
    return 200, variant.headers, variant.body
