"""Reading the home feed over HTTP."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.dependencies import Reads, SignedIn
from app.api.frame.problems import problems
from app.api.pagination import LINK_HEADER, Cursor, Limit, OnceEach, page_answer
from app.api.schemas_read import PostCards
from app.errors import InvalidCursor, InvalidInput, ProjectionLagging, Unauthenticated
from app.queries.home_feed import HomeFeed

router = APIRouter(prefix="/feed", tags=["feed"], dependencies=[OnceEach])


@router.get(
    "/",
    summary="Read your feed",
    response_model=PostCards,
    responses={
        200: {"headers": LINK_HEADER},
        **problems(Unauthenticated, InvalidInput, InvalidCursor, ProjectionLagging),
    },
)
async def home_feed(
    request: Request, viewer: SignedIn, reads: Reads, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List the posts of those whom you follow, newest first."""
    page = await reads.answer(HomeFeed(viewer_id=viewer.id, limit=limit, cursor=cursor))
    return page_answer(request, page, headers=reads.headers)
