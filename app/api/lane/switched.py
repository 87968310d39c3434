"""Likes and subscriptions in the lane: the commands asked for most, of one statement each and without a body."""

import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from starlette.responses import Response
from starlette.types import Scope

from app.api.answers import command_answer
from app.api.frame.error_handlers import problem_of
from app.api.frame.request_ids import naming
from app.api.lane.asked import bearer
from app.command_store import CommandStore, Committed
from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.commands.subscriptions import (
    Subscribe,
    ToggleSubscription,
    Unsubscribe,
    subscribe,
    toggle_subscription,
    unsubscribe,
)
from app.security.access_tokens import AccessTokens, Principal

C = TypeVar("C")
Run = Callable[[CommandStore, Principal, UUID], Awaitable[Committed[bool]]]

_PATH: Final = re.compile(r"/(posts|users)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(like|subscribe)/?", re.ASCII)
_UNUSUAL: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"idempotency-key"})


class Kind(NamedTuple):
    """A kind of switch: its route, the field of the answer, and the command of each method."""

    route: str
    field: str
    commands: dict[str, Run]


def _of_post(handle: Callable[[CommandStore, C], Awaitable[Committed[bool]]], kind: Callable[..., C]) -> Run:
    return lambda store, user, post: handle(store, kind(post_id=post, user_id=user.id, token_issued_at=user.issued_at))


def _of_user(handle: Callable[[CommandStore, C], Awaitable[Committed[bool]]], kind: Callable[..., C]) -> Run:
    return lambda store, user, target: handle(
        store, kind(target_user_id=target, subscriber_id=user.id, token_issued_at=user.issued_at)
    )


_KINDS: Final = {
    ("posts", "like"): Kind(
        "/posts/{post_id}/like/",
        "liked",
        {
            "PUT": _of_post(like_post, LikePost),
            "DELETE": _of_post(unlike_post, UnlikePost),
            "POST": _of_post(toggle_like, ToggleLike),
        },
    ),
    ("users", "subscribe"): Kind(
        "/users/{user_id}/subscribe/",
        "subscribed",
        {
            "PUT": _of_user(subscribe, Subscribe),
            "DELETE": _of_user(unsubscribe, Unsubscribe),
            "POST": _of_user(toggle_subscription, ToggleSubscription),
        },
    ),
}


class Switched(NamedTuple):
    """A command of that kind: who turns what, and how."""

    kind: Kind
    run: Run
    user: Principal
    thing_id: UUID
    sent_id: bytes | None

    async def answer(self, store: CommandStore, request_id: str) -> Response:
        """Run the command, once and for all: whatever comes of it is the answer."""
        with naming(request_id):
            try:
                committed = await self.run(store, self.user, self.thing_id)
            except Exception as error:  # noqa: BLE001 - FastAPI, asked again, would run it again
                return await problem_of(error)
            return command_answer(committed, {self.kind.field: committed.value})


def switched(scope: Scope, access_tokens: AccessTokens) -> Switched | None:
    """Return what a request turns; None when that isn't the lane's."""
    match = _PATH.fullmatch(scope["path"])
    if match is None:
        return None
    kind = _KINDS.get((match[1], match[3]))
    run = None if kind is None else kind.commands.get(scope["method"])
    headers = dict(scope["headers"])
    if kind is None or run is None or len(headers) < len(scope["headers"]) or scope.get("root_path"):
        return None
    if headers.get(b"content-length", b"0") != b"0" or not _UNUSUAL.isdisjoint(headers):
        return None
    authorization = headers.get(b"authorization")
    user = None if authorization is None else bearer(authorization, access_tokens)
    return None if user is None else Switched(kind, run, user, UUID(match[2]), headers.get(b"x-request-id"))
