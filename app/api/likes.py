"""Reading who likes a post over HTTP."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.dependencies import Reads
from app.api.frame.problems import problems
from app.api.pagination import LINK_HEADER, Cursor, Limit, OnceEach, page_answer
from app.api.schemas_read import LikesOfPost
from app.errors import InvalidCursor, InvalidInput, PostNotFound, ProjectionLagging
from app.queries.list_post_likes import ListPostLikes

router = APIRouter(prefix="/posts", tags=["likes"], dependencies=[OnceEach])


@router.get(
    "/{post_id}/likes/",
    summary="List who likes a post",
    response_model=LikesOfPost,
    responses={
        200: {"headers": LINK_HEADER},
        **problems(PostNotFound, InvalidInput, InvalidCursor, ProjectionLagging),
    },
)
async def list_post_likes(
    request: Request, post_id: UUID, reads: Reads, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List who likes a post, the latest first."""
    page = await reads.answer(ListPostLikes(post_id=post_id, limit=limit, cursor=cursor))
    return page_answer(request, page, headers=reads.headers)
