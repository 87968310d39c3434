"""Marking notifications read over HTTP."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import command_answer
from app.api.dependencies import SignedIn, Store
from app.api.frame.problems import problems
from app.api.schemas import NotificationState, ReadCount
from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from app.errors import NotificationNotFound, Unauthenticated

router = APIRouter(prefix="/notifications", tags=["notifications"])


@router.post("/read-all/", summary="Mark all read", response_model=ReadCount, responses=problems(Unauthenticated))
async def mark_all_read(user: SignedIn, store: Store) -> Response:
    """Mark all your notifications read, and learn how many were not."""
    committed = await read_all_notifications(store, ReadAllNotifications(user_id=user.id))
    return command_answer(committed, {"read": committed.value})


@router.post(
    "/{notification_id}/read/",
    summary="Mark one read",
    response_model=NotificationState,
    responses=problems(Unauthenticated, NotificationNotFound),
)
async def mark_read(notification_id: UUID, user: SignedIn, store: Store) -> Response:
    """Mark one of your notifications read; if it is already, nothing changes."""
    command = ReadNotification(notification_id=notification_id, user_id=user.id)
    committed = await read_notification(store, command)
    return command_answer(committed, committed.value)
