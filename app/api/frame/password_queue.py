"""Lets in as many as may wait for a password to be hashed; whoever comes beyond that is refused before anything else.

A flood of sign-ins shall cost those who read as little as can be: no look at the limits, at the body, or at the routes.
"""

from collections import deque
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.frame.paths import inner_path
from app.api.frame.problems import problem_answer
from app.errors import Overloaded
from app.security.passwords import PasswordHasher

REGISTER: Final = "/auth/register/"
SIGN_IN: Final = "/auth/login/"


class PasswordQueue:
    """Pure ASGI middleware, inside of the body's limit and of what gives paths their declared form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or inner_path(scope) not in (REGISTER, SIGN_IN):
            await self._app(scope, receive, send)
            return
        passwords: PasswordHasher = scope["app"].state.passwords
        # Before a place is taken: else a few who send theirs slowly would keep everyone from signing in.
        body = await _whole(receive)
        try:
            with passwords.place():
                await self._app(scope, body, send)
        except Overloaded as error:
            await problem_answer(error)(scope, receive, send)


async def _whole(receive: Receive) -> Receive:
    """Wait until the body is here, and return what gives it out again."""
    messages = deque[Message]()
    more = True
    while more:
        message = await receive()
        messages.append(message)
        more = message["type"] == "http.request" and message.get("more_body", False)

    async def again() -> Message:
        return messages.popleft() if messages else await receive()

    return again
