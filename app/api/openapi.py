"""The API's description: FastAPI's, with the errors that every operation has and the security as it really is."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.api.bodies import Credentials
from app.api.dependencies import OPTIONAL_SCHEME, SCHEME
from app.api.frame.problems import (
    MEDIA_TYPE,
    RATE_LIMIT_HEADERS,
    ContentTooLarge,
    MalformedBody,
    Problem,
    UnsupportedMediaType,
    UriTooLong,
    problems,
)
from app.api.idempotency_keys import HEADER as IDEMPOTENCY_KEY
from app.api.idempotency_keys import REFUSALS
from app.errors import (
    HeadersTooLarge,
    InkfoldError,
    InvalidInput,
    MalformedRequest,
    Overloaded,
    RateLimited,
    RequestTimeout,
    Unauthenticated,
    Unavailable,
)

SUMMARY: Final = "A blog whose reads are exact, ready-made tables."
DESCRIPTION: Final = """
Posts, likes, subscriptions, notifications and statistics.

* **Sign in** with `POST /auth/login/` and send the access token as `Authorization: Bearer …`.
* **Your own writes** show in your next read, without any header. To let another client wait for them, pass on
  the `Consistency-Token` that a command answers with.
* **Lists** take `limit` and `cursor`; `next_cursor` and the `Link` header lead on.
* **Retries**: send a POST with an `Idempotency-Key`, and again with the same one when its answer got lost: it is done
  once. PUT, PATCH and DELETE may be repeated as they are; they ignore the key, as signing in and out do.
* **Errors** are `application/problem+json` (RFC 9457); each `type` can be read.
* **Rate limits** are told by the `RateLimit` and `RateLimit-Policy` headers; past one, the answer is 429 with
  `Retry-After`.
* **Paths** work with and without their trailing slash.
"""
TAGS: Final = [
    {"name": "auth", "description": "Accounts and sessions."},
    {"name": "posts", "description": "Writing and reading posts."},
    {"name": "likes", "description": "Liking posts, and who does."},
    {"name": "users", "description": "Who is here."},
    {"name": "subscriptions", "description": "Following users."},
    {"name": "feed", "description": "Posts of those whom you follow."},
    {"name": "notifications", "description": "New posts of those whom you follow."},
    {"name": "analytics", "description": "Likes over any period."},
    {"name": "problems", "description": "What the errors mean."},
    {"name": "operations", "description": "Health and metrics."},
]

_SCHEMA: Final = "#/components/schemas/{model}"
_TOKEN_HEADER: Final = {
    "Consistency-Token": {
        "description": "Send it with a read that must reflect this change; absent when nothing changed",
        "schema": {"type": "string", "examples": ["1207"]},
    }
}
_STALE_HEADER: Final = {
    "Preference-Applied": {
        "description": "Sent when `Prefer: stale` was needed: what you see may not reflect what was written last",
        "schema": {"type": "string", "const": "stale"},
    }
}
_LOCATION_HEADER: Final = {
    "Location": {"description": "Path of what was made", "schema": {"type": "string", "format": "uri-reference"}}
}
_UNLIMITED: Final = frozenset({"problems", "operations"})
_WITHOUT_TOKEN: Final = frozenset({"/auth/login/", "/auth/refresh/", "/auth/logout/", "/auth/logout-all/"})


def describe_api(app: FastAPI) -> None:
    """Have the app describe itself with the additions of this module."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]  # FastAPI's documented way


def _description(app: FastAPI) -> dict[str, Any]:
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.operation_id = route.name  # each function's name is its operation's
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        license_info=app.license_info,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    components = document["components"]
    for model in (Problem, Credentials):
        schema = model.model_json_schema(ref_template=_SCHEMA)
        components["schemas"] |= schema.pop("$defs", {})
        components["schemas"][model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"].pop(OPTIONAL_SCHEME, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _say_security(operation)
            if "operations" not in operation["tags"]:
                _say_errors(operation)
            _say_headers(operation, commands=method != "get" and path not in _WITHOUT_TOKEN)
    return document


def _say_security(operation: dict[str, Any]) -> None:
    schemes = {name for requirement in operation.get("security", ()) for name in requirement}
    if SCHEME in schemes:
        operation["security"] = [{SCHEME: []}]
    elif OPTIONAL_SCHEME in schemes:
        operation["security"] = [{}, {SCHEME: []}]
        _add(operation, Unauthenticated)


def _say_errors(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    takes_input = "parameters" in operation or "requestBody" in operation
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    if takes_input:
        _add(operation, InvalidInput)
    if any(parameter["name"] == IDEMPOTENCY_KEY for parameter in operation.get("parameters", ())):
        _add(operation, *REFUSALS)
    if "requestBody" in operation:
        _add(operation, MalformedBody, ContentTooLarge, UnsupportedMediaType)
    if _UNLIMITED.isdisjoint(operation["tags"]):
        _add(operation, RateLimited)
    _add(operation, MalformedRequest, RequestTimeout, UriTooLong, HeadersTooLarge, Unavailable, Overloaded)
    operation["responses"] = dict(sorted(responses.items()))


def _add(operation: dict[str, Any], *kinds: type[InkfoldError]) -> None:
    """Add the problems to those that the operation has by itself."""
    responses = operation["responses"]
    for status, response in problems(*kinds).items():
        known = responses.setdefault(str(status), response)["content"][MEDIA_TYPE]
        added = response["content"][MEDIA_TYPE]
        described = known | {"examples": known.get("examples", {}) | added["examples"]}
        # Anew, for routes may share what they have.
        responses[str(status)] = responses[str(status)] | {"content": {MEDIA_TYPE: described}}


def _say_headers(operation: dict[str, Any], *, commands: bool) -> None:
    """Add the headers of successful answers."""
    headers: dict[str, Any] = dict(_TOKEN_HEADER) if commands else {}
    if any(parameter["name"] == "prefer" for parameter in operation.get("parameters", ())):
        headers |= _STALE_HEADER
    if _UNLIMITED.isdisjoint(operation["tags"]):
        headers |= RATE_LIMIT_HEADERS
    for status, response in operation["responses"].items():
        added = headers | _LOCATION_HEADER if status == "201" else headers
        if status.startswith("2") and added:
            response.setdefault("headers", {}).update(added)
