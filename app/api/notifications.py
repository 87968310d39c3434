"""Reading notifications over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.dependencies import Reads, SignedIn
from app.api.frame.problems import problems
from app.api.pagination import LINK_HEADER, Cursor, Limit, OnceEach, page_answer
from app.api.schemas_read import Notifications
from app.errors import InvalidCursor, InvalidInput, ProjectionLagging, Unauthenticated
from app.queries.list_notifications import ListNotifications, Status

router = APIRouter(prefix="/notifications", tags=["notifications"], dependencies=[OnceEach])


@router.get(
    "/",
    summary="List your notifications",
    response_model=Notifications,
    responses={
        200: {"headers": LINK_HEADER},
        **problems(Unauthenticated, InvalidInput, InvalidCursor, ProjectionLagging),
    },
)
async def list_notifications(
    request: Request,
    *,
    viewer: SignedIn,
    reads: Reads,
    status: Annotated[Status, Query(description="The unread ones, or all")] = Status.UNREAD,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List your notifications, newest first; `total` counts those of the status asked for."""
    query = ListNotifications(viewer_id=viewer.id, status=status, limit=limit, cursor=cursor)
    page = await reads.answer(query)
    return page_answer(request, page, also={"unread_count": page.unread_count}, headers=reads.headers)
