"""Marking notifications read over HTTP."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import command_answer
from app.api.dependencies import SignedIn, Store
from app.api.frame.problems import problems
from app.api.idempotency_keys import SentKey
from app.api.schemas import NotificationState, ReadCount
from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from app.errors import AccessEnded, NotificationNotFound, Unauthenticated

router = APIRouter(prefix="/notifications", tags=["notifications"])


@router.post(
    "/read-all/", summary="Mark all read", response_model=ReadCount, responses=problems(Unauthenticated, AccessEnded)
)
async def mark_all_read(user: SignedIn, store: Store, key: SentKey) -> Response:
    """Mark all your notifications read, and learn how many were not."""
    command = ReadAllNotifications(user_id=user.id, token_issued_at=user.issued_at)
    committed = await read_all_notifications(store, command, key=key)
    return command_answer(committed, {"read": committed.value})


@router.post(
    "/{notification_id}/read/",
    summary="Mark one read",
    response_model=NotificationState,
    responses=problems(Unauthenticated, AccessEnded, NotificationNotFound),
)
async def mark_read(notification_id: UUID, user: SignedIn, store: Store, key: SentKey) -> Response:
    """Mark one of your notifications read; if it is already, nothing changes."""
    command = ReadNotification(notification_id=notification_id, user_id=user.id, token_issued_at=user.issued_at)
    committed = await read_notification(store, command, key=key)
    return command_answer(committed, committed.value)
