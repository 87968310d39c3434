"""Reading posts over HTTP."""

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from app.api.answers import json_answer
from app.api.dependencies import MaybeSignedIn, Reads
from app.api.frame.entity_tags import post_etag
from app.api.frame.problems import problems
from app.api.pagination import LINK_HEADER, PERSONAL, Cursor, Limit, OnceEach, page_answer
from app.api.schemas_read import PostCards, PostWithContent
from app.errors import InvalidCursor, InvalidInput, PostNotFound, ProjectionLagging
from app.queries.get_post import GetPost
from app.queries.list_posts import ListPosts, RankPosts

router = APIRouter(prefix="/posts", tags=["posts"], dependencies=[OnceEach])

Sort = Annotated[
    Literal["new", "top"], Query(description="`new`: newest first; `top`: most liked first", examples=["new"])
]
#: The query of each order.
LISTS: Final[dict[str, type[ListPosts | RankPosts]]] = {"new": ListPosts, "top": RankPosts}


async def viewer_id_of(viewer: MaybeSignedIn) -> UUID | None:
    """Return the id of whoever is signed in."""
    return None if viewer is None else viewer.id


ViewerId = Annotated[UUID | None, Depends(viewer_id_of)]

_ETAG_HEADER: Final = {"ETag": {"description": "Of what you see", "schema": {"type": "string"}}}


@router.get(
    "/",
    summary="List posts",
    response_model=PostCards,
    responses={200: {"headers": LINK_HEADER}, **problems(InvalidInput, InvalidCursor, ProjectionLagging)},
)
async def list_posts(
    request: Request,
    *,
    reads: Reads,
    viewer_id: ViewerId,
    sort: Sort = "new",
    author_id: Annotated[UUID | None, Query(description="Only posts of this author")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List everybody's posts, or one author's. Likes may move a post while you page through `sort=top`."""
    query = LISTS[sort](viewer_id=viewer_id, author_id=author_id, limit=limit, cursor=cursor)
    page = await reads.answer(query)
    return page_answer(request, page, headers=reads.headers)


@router.get(
    "/{post_id}/",
    summary="Read a post",
    response_model=PostWithContent,
    responses={
        200: {"headers": _ETAG_HEADER},
        304: {"description": "You have this already", "headers": _ETAG_HEADER},
        **problems(PostNotFound, ProjectionLagging),
    },
)
async def get_post(
    post_id: UUID,
    reads: Reads,
    viewer_id: ViewerId,
    _if_none_match: Annotated[  # app.api.frame.representations looks at it
        str | None,
        Header(
            alias="If-None-Match", description="ETags that you have; if the post has one of them, the answer is 304"
        ),
    ] = None,
) -> Response:
    """Read a post with its whole content."""
    found = await reads.answer(GetPost(post_id=post_id, viewer_id=viewer_id))
    answer = json_answer(found.post, headers={**PERSONAL, **reads.headers})
    answer.headers["ETag"] = post_etag(found.version, bytes(answer.body))
    return answer
