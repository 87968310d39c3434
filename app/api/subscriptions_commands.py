"""Following over HTTP: POST toggles, PUT and DELETE say which way and may be repeated."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import command_answer
from app.api.dependencies import SignedIn, Store
from app.api.frame.problems import problems
from app.api.idempotency_keys import SentKey
from app.api.schemas import SubscriptionState
from app.command_store import Committed
from app.commands.subscriptions import (
    Subscribe,
    ToggleSubscription,
    Unsubscribe,
    subscribe,
    toggle_subscription,
    unsubscribe,
)
from app.errors import AccessEnded, SelfSubscription, Unauthenticated, UserNotFound

router = APIRouter(prefix="/users/{user_id}/subscribe", tags=["subscriptions"])

_RESPONSES = problems(Unauthenticated, AccessEnded, UserNotFound, SelfSubscription)


@router.post("/", summary="Follow, or cease to", response_model=SubscriptionState, responses=_RESPONSES)
async def toggle_user_subscription(user_id: UUID, user: SignedIn, store: Store, key: SentKey) -> Response:
    """Follow the user if you don't, else cease to. Not to be repeated without a key: PUT and DELETE are."""
    command = ToggleSubscription(subscriber_id=user.id, target_user_id=user_id, token_issued_at=user.issued_at)
    return _answer(await toggle_subscription(store, command, key=key))


@router.put("/", summary="Follow", response_model=SubscriptionState, responses=_RESPONSES)
async def begin_user_subscription(user_id: UUID, user: SignedIn, store: Store) -> Response:
    """Follow the user; if you do already, nothing changes."""
    command = Subscribe(subscriber_id=user.id, target_user_id=user_id, token_issued_at=user.issued_at)
    return _answer(await subscribe(store, command))


@router.delete("/", summary="Cease to follow", response_model=SubscriptionState, responses=_RESPONSES)
async def end_user_subscription(user_id: UUID, user: SignedIn, store: Store) -> Response:
    """Don't follow the user; if you don't already, nothing changes."""
    command = Unsubscribe(subscriber_id=user.id, target_user_id=user_id, token_issued_at=user.issued_at)
    return _answer(await unsubscribe(store, command))


def _answer(committed: Committed[bool]) -> Response:
    return command_answer(committed, {"subscribed": committed.value})
