"""Errors as application/problem+json (RFC 9457): those that only HTTP knows, how each is answered and documented.

app.api.frame.error_handlers answers with them; routes name the ones they can raise.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.frame.request_ids import request_id
from app.errors import InkfoldError, Unauthenticated

MEDIA_TYPE: Final = "application/problem+json"

_RETRY_AFTER: Final[Mapping[str, Any]] = {
    "Retry-After": {"description": "Seconds until another try is worth it", "schema": {"type": "integer"}}
}
#: What the description says of the headers of answers that count towards a rate limit.
RATE_LIMIT_HEADERS: Final[Mapping[str, Any]] = {
    "RateLimit": {
        "description": "How many requests are left (`r`), and for how many seconds the window lasts yet (`t`). "
        "Reads say so once half of the quota is spent",
        "schema": {"type": "string", "examples": ['"writes";r=1187;t=41']},
    },
    "RateLimit-Policy": {
        "description": "How many requests a window allows (`q`), and for how many seconds it lasts (`w`)",
        "schema": {"type": "string", "examples": ['"writes";q=1200;w=60']},
    },
}

#: What the description says of the headers that problem_answer sends.
_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {"description": "How to sign in", "schema": {"type": "string", "const": "Bearer"}}
    },
    HTTPStatus.TOO_MANY_REQUESTS: {**_RETRY_AFTER, **RATE_LIMIT_HEADERS},
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}


class MalformedBody(InkfoldError):
    """The body can't be read as what its Content-Type says."""

    status, slug, title = 400, "malformed-body", "Malformed body"


class MethodNotAllowed(InkfoldError):
    """This path knows other methods; the Allow header names them."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class ContentTooLarge(InkfoldError):
    """The body is larger than this service takes."""

    status, slug, title = 413, "content-too-large", "Content too large"


class UriTooLong(InkfoldError):
    """The path and the query are longer than this service takes. Send fewer or shorter parameters."""

    status, slug, title = 414, "uri-too-long", "URI too long"


class UnsupportedMediaType(InkfoldError):
    """Send the body as `Content-Type: application/json`."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class Fault(BaseModel):
    """What does not fit in one field."""

    field: str = Field(description="Name of the field, parameter or header; `body` for the body as a whole")
    message: str = Field(description="What is expected of it")


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/invalid-input",
                    "title": "Invalid input",
                    "status": 422,
                    "detail": "The request does not fit: see title.",
                    "errors": [{"field": "title", "message": "This is required."}],
                }
            ]
        }
    )

    type: str = Field(description="Stable name of the kind of error; GET it to read about it")
    title: str = Field(description="The kind of error in words")
    status: int = Field(description="The HTTP status", ge=400, le=599)
    detail: str = Field(description="What happened and what to do next")
    request_id: str | None = Field(None, description="Quote this when you report an unexpected error")
    errors: list[Fault] | None = Field(None, description="What does not fit, field by field")


def problem_answer(
    error: InkfoldError,
    *,
    faults: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with the error as a problem, and with the headers that its status calls for."""
    body: dict[str, Any] = {**describe(type(error)), "detail": error.detail}
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        body["request_id"] = request_id()
    if not faults and error.field is not None:
        faults = [{"field": error.field, "message": error.detail}]
    if faults:
        body["errors"] = faults
    sent = dict(headers or {})
    if isinstance(error, Unauthenticated):
        sent["WWW-Authenticate"] = "Bearer"
    if error.retry_after_seconds is not None:
        sent["Retry-After"] = str(error.retry_after_seconds)
    return Response(orjson.dumps(body), status_code=error.status, headers=sent, media_type=MEDIA_TYPE)


def plain_problem(status: int, *, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a problem that says no more than its status does (RFC 9457, section 4.2.1)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return Response(orjson.dumps(body), status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def describe(kind: type[InkfoldError]) -> dict[str, Any]:
    """Return a kind of error as a problem with its usual detail."""
    return {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": (kind.__doc__ or "").strip(),
    }


def problems(*kinds: type[InkfoldError]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's `responses` for the kinds of errors that a route can answer with."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        response = responses.setdefault(
            kind.status,
            {
                "description": HTTPStatus(kind.status).phrase,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        if headers := _HEADERS.get(kind.status):
            response["headers"] = dict(headers)
        response["content"][MEDIA_TYPE]["examples"][kind.slug] = {
            "summary": kind.title,
            "value": describe(kind),
        }
    return responses


def all_kinds(root: type[InkfoldError] = InkfoldError) -> Iterator[type[InkfoldError]]:
    """Yield every kind of error that this service answers with."""
    yield root
    for kind in root.__subclasses__():
        yield from all_kinds(kind)
