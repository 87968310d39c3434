"""Reads request bodies with orjson, so that NaN, lone surrogates, endless nesting and huge numbers end here as 400.

An object of more fields than any body here has ends as 422, before each of them is looked at.

The routes that take a body use StrictJsonRoute; a body of another media type is refused with 415.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from app.api.frame.problems import MalformedBody, UnsupportedMediaType
from app.errors import InvalidInput

JSON = "application/json"

#: More than any body has. Validation describes each field that it doesn't know: a second's work for a megabyte of them.
_MOST_FIELDS: Final = 100


def media_type(request: Request) -> str:
    """Return the request's media type in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request) -> Any:
    """Return the body's value, None for no body; raises UnsupportedMediaType, MalformedBody or InvalidInput."""
    if media_type(request) != JSON:
        raise UnsupportedMediaType
    body = await request.body()
    try:
        value = orjson.loads(body) if body else None
    except orjson.JSONDecodeError as error:
        raise MalformedBody from error
    if isinstance(value, dict) and len(value) > _MOST_FIELDS:
        raise InvalidInput(f"The body has more than {_MOST_FIELDS:,} fields. Send only those that are described.")
    return value


class _ReadRequest(Request):
    value: Any = None

    async def json(self) -> Any:
        return self.value


class StrictJsonRoute(APIRoute):
    """A route whose body, if it declares one, must be strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler over a request that has been read already."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def handle_read(request: Request) -> Response:
            read = _ReadRequest(request.scope, request.receive)
            if takes_body and await read.body():
                read.value = await read_json(read)
            return await handle(read)

        return handle_read
