"""Reading users over HTTP: a profile, a user's posts, whom one follows and who follows."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answers import json_answer
from app.api.dependencies import Reads, SignedIn
from app.api.frame.problems import problems
from app.api.pagination import LINK_HEADER, Cursor, Limit, OnceEach, page_answer
from app.api.posts import LISTS, Sort, ViewerId
from app.api.schemas_read import Followings, PostCards, Profile
from app.errors import InvalidCursor, InvalidInput, ProjectionLagging, Unauthenticated, UserNotFound
from app.queries.list_subscriptions import ListSubscribers, ListSubscriptions
from app.queries.profiles import GetProfile

router = APIRouter(prefix="/users", dependencies=[OnceEach])

_PAGE_OF_USER = {
    200: {"headers": LINK_HEADER},
    **problems(UserNotFound, InvalidInput, InvalidCursor, ProjectionLagging),
}


@router.get(
    "/subscriptions/",  # before /{user_id}/, or it would be taken for an id
    tags=["subscriptions"],
    summary="List whom you follow",
    response_model=Followings,
    responses={
        200: {"headers": LINK_HEADER},
        **problems(Unauthenticated, InvalidInput, InvalidCursor, ProjectionLagging),
    },
)
async def list_subscriptions(
    request: Request, viewer: SignedIn, reads: Reads, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List whom you follow, the latest first."""
    page = await reads.answer(ListSubscriptions(subscriber_id=viewer.id, limit=limit, cursor=cursor))
    return page_answer(request, page, headers=reads.headers)


@router.get(
    "/{user_id}/",
    tags=["users"],
    summary="Read a profile",
    response_model=Profile,
    responses=problems(UserNotFound, ProjectionLagging),
)
async def get_profile(user_id: UUID, reads: Reads) -> Response:
    """Read a user's profile, with counters."""
    return json_answer(await reads.answer(GetProfile(user_id=user_id)), headers=reads.headers)


@router.get(
    "/{user_id}/posts/",
    tags=["users"],
    summary="List a user's posts",
    response_model=PostCards,
    responses=_PAGE_OF_USER,
)
async def list_user_posts(
    request: Request,
    *,
    user_id: UUID,
    reads: Reads,
    viewer_id: ViewerId,
    sort: Sort = "new",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List the posts of one user."""
    query = LISTS[sort](viewer_id=viewer_id, author_id=user_id, author_must_exist=True, limit=limit, cursor=cursor)
    return page_answer(request, await reads.answer(query), headers=reads.headers)


@router.get(
    "/{user_id}/subscribers/",
    tags=["subscriptions"],
    summary="List who follows a user",
    response_model=Followings,
    responses=_PAGE_OF_USER,
)
async def list_subscribers(
    request: Request, user_id: UUID, reads: Reads, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List who follows a user, the latest first."""
    page = await reads.answer(ListSubscribers(user_id=user_id, limit=limit, cursor=cursor))
    return page_answer(request, page, headers=reads.headers)
