"""Reads Idempotency-Key, by which a client may send a POST again without doing it twice. Routes that take one name it.

It follows draft-ietf-httpapi-idempotency-key-header, and takes a bare key as well as the draft's quoted one. What a key
means is app.idempotency's.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Request

from app.api.dependencies import Config
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused, InkfoldError
from app.idempotency import IdempotencyKey

HEADER: Final = "Idempotency-Key"

_KEY: Final = re.compile(r'([!#-~][!-~]{0,254})|"((?:[!#-\[\]-~]|\\["\\]){1,255})"', re.ASCII)
_ESCAPED: Final = re.compile(r'\\(["\\])')


class InvalidIdempotencyKey(InkfoldError):
    """An Idempotency-Key has 1 to 255 visible ASCII characters, such as a UUID, and is sent once in a request."""

    status, slug, title = 400, "invalid-idempotency-key", "Invalid idempotency key"


#: What a request with a key may be refused for.
REFUSALS: Final[tuple[type[InkfoldError], ...]] = (InvalidIdempotencyKey, IdempotencyKeyInUse, IdempotencyKeyReused)


async def sent_key(
    request: Request,
    config: Config,
    _: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="A name that you give to this request, a UUID for example. When its answer gets lost, send it "
            "again with the same one: it is done once, and answered as the first time. A request that was refused "
            "leaves its key unused.",
            examples=['"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
            json_schema_extra={"pattern": f"^(?:{_KEY.pattern})$"},
        ),
    ] = None,
) -> IdempotencyKey | None:
    """Return the key that the request was sent with; raises InvalidIdempotencyKey."""
    sent = request.headers.getlist(HEADER)
    if not sent:
        return None
    match = _KEY.fullmatch(sent[0])
    if match is None or len(sent) > 1:
        raise InvalidIdempotencyKey(field=HEADER)
    return IdempotencyKey(text=match[1] or _ESCAPED.sub(r"\1", match[2]), hours=config.idempotency_hours)


SentKey = Annotated[IdempotencyKey | None, Depends(sent_key)]
