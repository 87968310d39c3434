"""Answers what is asked for most ahead of FastAPI and its middleware: reads out of what is kept, likes, subscriptions.

app.main asks it first. Whoever is answered here gets what FastAPI would have answered; whatever is unusual, or not
found, or not yet to be seen by whoever wrote it, is passed on.
"""

import time
from typing import Final

from starlette.types import Scope, Send

from app.api.frame.access_log import Answered
from app.api.frame.problems import problem_answer
from app.api.frame.representations import RawHeaders, has, unchanged
from app.api.frame.request_ids import HEADER, id_for
from app.api.frame.security_headers import RAW_HEADERS
from app.api.lane.asked import Asked, asked
from app.api.lane.sources import Sources
from app.api.lane.switched import Switched, switched
from app.api.operations.metrics import CLOSED, Metrics
from app.command_store import CommandStore
from app.errors import Overloaded, Unavailable

_ID_HEADER: Final = HEADER.lower().encode()


class FastLane:
    """One per process, while it serves."""

    def __init__(self, sources: Sources, store: CommandStore, *, metrics: Metrics) -> None:
        self._sources = sources
        self._store = store
        self._metrics = metrics

    async def answer(self, scope: Scope, send: Send) -> bool:
        """Answer a request, or return False for FastAPI to answer it."""
        if scope["type"] != "http":
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
            found = await _found(request, self._sources)
            if found is None:
                status = None  # FastAPI counts it
                return False
            status, headers, body = found
            await _send(send, status, [*headers, (_ID_HEADER, id_.encode())], body)
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
            response = await command.answer(self._store, id_)
            status = response.status_code
            headers = [*response.raw_headers, *RAW_HEADERS, (_ID_HEADER, id_.encode())]
            await _send(send, status, headers, bytes(response.body))
        finally:
            self._metrics.answering -= 1
            self._note(id_, scope, command.kind.route, status, began)

    def _note(self, id_: str, scope: Scope, route: str, status: int, began: float) -> None:
        seconds = time.perf_counter() - began
        self._metrics.note(Answered(time.time(), id_, scope["method"], scope["path"], route, status, seconds))


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _found(request: Asked, sources: Sources) -> tuple[int, RawHeaders, bytes] | None:
    try:
        representation = await sources.representation(request)
    except (Overloaded, Unavailable) as error:
        problem = problem_answer(error)
        return problem.status_code, [*problem.raw_headers, *RAW_HEADERS], bytes(problem.body)
    except Exception:  # noqa: BLE001 - whatever it is, FastAPI asks again and says it as for everybody
        return None
    if representation is None:
        return None
    variant = representation.select(accept_encoding=request.headers.get(b"accept-encoding"))
    if has(variant, request.headers.get(b"if-none-match")):
        return 304, unchanged(variant), b""
    return 200, variant.headers, variant.body
