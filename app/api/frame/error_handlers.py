"""Turns every exception into a problem: ours, FastAPI's, Starlette's, PostgreSQL's, and whatever nobody expected.

An answer never repeats what was sent: it names the field and says what is expected of it.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tortoise.exceptions import IntegrityError

from app.api.frame.problems import (
    ContentTooLarge,
    MalformedBody,
    MethodNotAllowed,
    UnsupportedMediaType,
    plain_problem,
    problem_answer,
)
from app.connection_loss import CONNECTION_LOST
from app.errors import InkfoldError, InvalidInput, NotFound, StorageFull, Unauthenticated, Unavailable

log = logging.getLogger(__name__)

_MOST_FAULTS: Final = 20
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})
_SHOWABLE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

#: Sentences for faults whose own wording would repeat the input, or is hard to read.
_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "This is required.",
    "extra_forbidden": "There is no such field here.",
    "string_type": "This must be text.",
    "string_unicode": "This must be Unicode text.",
    "model_attributes_type": "This must be a JSON object.",
    "model_type": "This must be a JSON object.",
    "uuid_parsing": "This must be a UUID.",
    "uuid_type": "This must be a UUID.",
    "int_parsing": "This must be a whole number.",
    "enum": "This is not one of the values that are possible here.",
}

_BY_STATUS: Final[Mapping[int, type[InkfoldError]]] = {
    kind.status: kind for kind in (MalformedBody, NotFound, MethodNotAllowed, ContentTooLarge, UnsupportedMediaType)
}

_DATABASE_GONE: Final[Sequence[type[Exception]]] = (*CONNECTION_LOST, asyncpg.OperatorInterventionError)


def install_error_handlers(app: FastAPI) -> None:
    """Have all errors of the app's routes answered as problems."""
    app.add_exception_handler(RequestValidationError, _refuse_input)
    app.add_exception_handler(HTTPException, _refuse_by_status)
    app.add_exception_handler(ClientDisconnect, _refuse_incomplete)
    for kind, handler in _BY_COMMANDS.items():
        app.add_exception_handler(kind, handler)


async def problem_of(error: Exception) -> Response:
    """Return the answer to a request whose command failed so, whatever it was."""
    for kind in type(error).__mro__:
        if kind in _BY_COMMANDS:
            try:
                return await _BY_COMMANDS[kind](None, error)
            except Exception as unexpected:  # noqa: BLE001 - raised again where it is none of the handler's
                return _unexpected(unexpected)
    return _unexpected(error)


def faults_of(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Return what does not fit, field by field, from pydantic's errors; the first twenty."""
    return [{"field": _field(error["loc"]), "message": _sentence(error)} for error in errors[:_MOST_FAULTS]]


class LastResort:
    """Pure ASGI middleware: what nothing else handles is logged with the request's id and answered with 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        started = False

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            # Middleware that reads the body meets what app.http_protocol refuses of it.
            answer = problem_answer(error) if isinstance(error, InkfoldError) else _unexpected(error)
            await answer(scope, receive, send)


def _unexpected(error: Exception) -> Response:
    log.error("An unexpected error was answered with 500.", exc_info=error)
    return problem_answer(InkfoldError("Something went wrong on our side."))


async def _refuse(_: Request | None, error: Exception) -> Response:
    assert isinstance(error, InkfoldError)
    return problem_answer(error)


async def _refuse_input(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = faults_of(error.errors())
    fields = ", ".join(dict.fromkeys(fault["field"] for fault in faults))
    return problem_answer(InvalidInput(f"The request does not fit: see {fields}."), faults=faults)


async def _refuse_by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem_answer(MethodNotAllowed(), headers={"Allow": _allowed(request)})
    kind = _BY_STATUS.get(status)
    return plain_problem(status, headers=error.headers) if kind is None else problem_answer(kind())


async def _refuse_incomplete(_: Request, __: Exception) -> Response:
    return problem_answer(MalformedBody("The connection ended before the body did."))


async def _refuse_unknown_account(_: Request | None, error: Exception) -> Response:
    # Posts are locked before anything refers to them, so what is missing is the account that the token names.
    if isinstance(error.__cause__, asyncpg.ForeignKeyViolationError):
        return problem_answer(Unauthenticated("The account of this access token is gone. Register again."))
    raise error


async def _refuse_without_database(_: Request | None, error: Exception) -> Response:
    log.warning("PostgreSQL can't be reached: %s", error)
    return problem_answer(Unavailable())


async def _refuse_without_room(_: Request | None, error: Exception) -> Response:
    log.error("PostgreSQL has no room: %s", error)
    return problem_answer(StorageFull())


#: What commands raise, and queries; what FastAPI itself raises is added to it.
_BY_COMMANDS: Final[Mapping[type[Exception], Callable[[Request | None, Exception], Awaitable[Response]]]] = {
    InkfoldError: _refuse,
    IntegrityError: _refuse_unknown_account,
    **dict.fromkeys(_DATABASE_GONE, _refuse_without_database),
    asyncpg.InsufficientResourcesError: _refuse_without_room,
}


def _allowed(request: Request) -> str:
    """Return the methods of every route of the path: FastAPI names those of the first one only (RFC 9110, 10.2.1)."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", "").rstrip("/"))
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        pattern, offered = getattr(route, "path_regex", None), getattr(route, "methods", None)
        if pattern is not None and offered and pattern.match(path):
            methods |= offered
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


def _field(location: Sequence[int | str]) -> str:
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in _PLACES:
        parts = parts[1:]
    return ".".join(part if _SHOWABLE.fullmatch(part) else "(unnamed)" for part in parts) or "body"


def _sentence(error: Mapping[str, Any]) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "string_too_short":
        message = f"This must have at least {_characters(limits['min_length'])}."
    elif kind == "string_too_long":
        message = f"This must have at most {_characters(limits['max_length'])}."
    else:
        message = _SENTENCES.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    return message.encode(errors="replace").decode()


def _characters(count: int) -> str:
    return f"{count:,} character{'' if count == 1 else 's'}"
