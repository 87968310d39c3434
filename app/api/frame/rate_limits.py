"""Counts each request towards its rate limit before it goes on, and says in the answer how the caller stands.

The headers are those of draft-ietf-httpapi-ratelimit-headers-11. The lane counts by itself what it takes up.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.frame.password_queue import REGISTER, SIGN_IN
from app.api.frame.paths import inner_path
from app.api.frame.problems import problem_answer
from app.api.frame.representations import RawHeaders
from app.errors import Unauthenticated
from app.rate_limits.policies import Standings, refusal
from app.rate_limits.rate_limits import RateLimits
from app.security.access_tokens import AccessTokens

#: What is asked every few seconds by machines, and what explains the rest.
_UNLIMITED: Final = ("/health/", "/metrics", "/docs", "/redoc", "/openapi.json", "/problems/")
_READS: Final = frozenset({"GET", "HEAD"})
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

#: Under which a scope holds the standings of its caller, once the request is counted.
_STANDINGS: Final = "inkfold.standings"


class RateLimiting:
    """Pure ASGI middleware, inside of what gives paths their declared form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        limits = getattr(scope["app"].state, "rate_limits", None) if scope["type"] == "http" else None
        if limits is None:
            await self._app(scope, receive, send)
            return
        if _STANDINGS not in scope:
            note_standings(scope, await _standings(limits, scope))

        async def send_standings(message: Message) -> None:
            if message["type"] == "http.response.start" and scope[_STANDINGS]:
                message["headers"] = [*message["headers"], *rate_limit_headers(scope[_STANDINGS])]
            await send(message)

        refused = refusal(scope[_STANDINGS])
        app = self._app if refused is None else problem_answer(refused)
        await app(scope, receive, send_standings)


def note_standings(scope: Scope, standings: Standings) -> None:
    """Note that the request is counted; whoever answers it need not count it again."""
    scope[_STANDINGS] = (*scope.get(_STANDINGS, ()), *standings)


async def count_sign_in(request: Request, login: str) -> None:
    """Count an attempt to sign in to an account; raises app.errors.RateLimited."""
    limits: RateLimits = request.app.state.rate_limits
    standings = await limits.sign_in_to(login)
    note_standings(request.scope, standings)
    if (refused := refusal(standings)) is not None:
        raise refused


def rate_limit_headers(standings: Standings) -> RawHeaders:
    """Return the headers that say how a caller stands; none where there is nothing to say."""
    if not standings:
        return []
    limit = ", ".join(f'"{each.policy.name}";r={each.left};t={each.seconds}' for each in standings)
    policy = ", ".join(f'"{each.policy.name}";q={each.policy.quota};w={each.policy.seconds}' for each in standings)
    return [(b"ratelimit", limit.encode()), (b"ratelimit-policy", policy.encode())]


async def _standings(limits: RateLimits, scope: Scope) -> Standings:
    path = inner_path(scope)
    method, client = scope["method"], scope.get("client")
    if method == "POST" and path == SIGN_IN:
        return await limits.sign_in_from(client)
    if method == "POST" and path == REGISTER:
        return await limits.register(client)
    if path == "/" or path.startswith(_UNLIMITED):
        return ()
    if method in _READS:
        return limits.read(_user_id(scope["headers"], scope["app"].state.access_tokens), client)
    if method in _WRITES:
        return limits.write(_user_id(scope["headers"], scope["app"].state.access_tokens), client)
    return ()


def _user_id(headers: Sequence[tuple[bytes, bytes]], access_tokens: AccessTokens) -> UUID | None:
    """Return who bears the access token; whoever has none, or a wrong one, counts by their address."""
    sent: Any = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, token = sent.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return access_tokens.verify(token.strip()).id
    except Unauthenticated:
        return None
