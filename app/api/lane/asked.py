"""What a request for one of the lane's screens asks for. Whatever is unusual in it is left to FastAPI."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from starlette.types import Scope

from app.api.lane.screens import POST, SCREENS, Screen
from app.errors import Unauthenticated
from app.security.access_tokens import AccessTokens, Principal

_POST_PATH: Final = re.compile(r"/posts/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?", re.ASCII)
_BY_PATH: Final = {path: screen for screen in SCREENS for path in (screen.route, screen.route.removesuffix("/"))}
#: Headers that change what is to be answered, or mean a body.
_UNUSUAL: Final = frozenset(
    {b"consistency-token", b"prefer", b"range", b"content-length", b"transfer-encoding", b"expect", b"upgrade"}
)
_LONGEST_QUERY: Final = 400


class Asked(NamedTuple):
    """A screen, who asks, and the parameters as they were sent."""

    screen: Screen
    viewer_id: UUID | None
    post_id: str | None
    query_string: bytes
    headers: Mapping[bytes, bytes]

    @property
    def key(self) -> tuple[object, ...]:
        """What two requests have in common whose answer is the same."""
        return (self.screen.route, self.post_id, self.query_string, self.viewer_id)


def asked(scope: Scope, access_tokens: AccessTokens) -> Asked | None:
    """Return what a GET asks for; None when that isn't the lane's."""
    path = scope["path"]
    screen, post_id = _BY_PATH.get(path), None
    if screen is None:
        match = _POST_PATH.fullmatch(path)
        if match is None:
            return None
        screen, post_id = POST, match[1]
    headers = dict(scope["headers"])
    usual = len(headers) == len(scope["headers"]) and _UNUSUAL.isdisjoint(headers)
    if not usual or len(scope["query_string"]) > _LONGEST_QUERY or scope.get("root_path"):
        return None
    authorization = headers.get(b"authorization")
    if authorization is None:
        return None if screen.personal else Asked(screen, None, post_id, scope["query_string"], headers)
    viewer = bearer(authorization, access_tokens)
    return None if viewer is None else Asked(screen, viewer.id, post_id, scope["query_string"], headers)


def bearer(authorization: bytes, access_tokens: AccessTokens) -> Principal | None:
    """Return who bears this access token; None when FastAPI has to say what is wrong with it."""
    if not authorization.startswith(b"Bearer "):
        return None
    try:
        return access_tokens.verify(authorization[7:].decode("latin-1").strip())
    except Unauthenticated:
        return None
