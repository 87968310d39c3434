"""Publishing, editing and deleting posts over HTTP."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import command_answer
from app.api.bodies import NewPost, PostChange
from app.api.dependencies import SignedIn, Store
from app.api.frame.preconditions import ExpectedVersions
from app.api.frame.problems import problems
from app.api.frame.strict_json import StrictJsonRoute
from app.api.idempotency_keys import SentKey
from app.api.schemas import WrittenPost
from app.command_store import Committed
from app.commands.posts import DeletePost, EditPost, PublishPost, delete_post, edit_post, publish_post
from app.commands.posts import WrittenPost as StoredPost
from app.errors import AccessEnded, NotTheAuthor, PostNotFound, PreconditionFailed, Unauthenticated
from app.security.access_tokens import Principal

router = APIRouter(prefix="/posts", tags=["posts"], route_class=StrictJsonRoute)

_OF_A_POST = problems(Unauthenticated, AccessEnded, NotTheAuthor, PostNotFound, PreconditionFailed)


@router.post(
    "/",
    summary="Publish a post",
    status_code=201,
    response_model=WrittenPost,
    responses=problems(Unauthenticated, AccessEnded),
)
async def add_post(body: NewPost, author: SignedIn, store: Store, key: SentKey) -> Response:
    """Publish a post. Those who follow you are notified in the background."""
    command = PublishPost(author_id=author.id, title=body.title, content=body.content, token_issued_at=author.issued_at)
    return _written(await publish_post(store, command, key=key), author, status=201)


@router.put("/{post_id}/", summary="Replace a post", response_model=WrittenPost, responses=_OF_A_POST)
async def replace_post(
    post_id: UUID, body: NewPost, author: SignedIn, store: Store, versions: ExpectedVersions
) -> Response:
    """Write the post's title and content anew; only its author may."""
    return await _edit(store, author, post_id=post_id, change=body, versions=versions)


@router.patch("/{post_id}/", summary="Change a post", response_model=WrittenPost, responses=_OF_A_POST)
async def change_post(
    post_id: UUID, body: PostChange, author: SignedIn, store: Store, versions: ExpectedVersions
) -> Response:
    """Change the title, the content, or both; what is left out stays. Only its author may."""
    return await _edit(store, author, post_id=post_id, change=body, versions=versions)


@router.delete(
    "/{post_id}/",
    summary="Delete a post",
    status_code=204,
    response_description="Deleted",
    responses=_OF_A_POST,
)
async def remove_post(post_id: UUID, author: SignedIn, store: Store, versions: ExpectedVersions) -> Response:
    """Delete the post with its likes and notifications; only its author may."""
    command = DeletePost(
        post_id=post_id, author_id=author.id, expected_versions=versions, token_issued_at=author.issued_at
    )
    return command_answer(await delete_post(store, command), status=204)


async def _edit(
    store: Store, author: Principal, *, post_id: UUID, change: NewPost | PostChange, versions: frozenset[int] | None
) -> Response:
    command = EditPost(
        post_id=post_id,
        author_id=author.id,
        title=change.title,
        content=change.content,
        expected_versions=versions,
        token_issued_at=author.issued_at,
    )
    return _written(await edit_post(store, command), author, status=200)


def _written(committed: Committed[StoredPost], author: Principal, *, status: int) -> Response:
    post = committed.value
    answer = {
        "id": post.id,
        "title": post.title,
        "content": post.content,
        "author": {"id": post.author_id, "username": author.username},
        "version": post.version,
        "created_at": post.created_at,
        "updated_at": post.updated_at,
    }
    location = {"Location": f"/posts/{post.id}/"} if status == 201 else None  # noqa: PLR2004 - Created
    return command_answer(committed, answer, status=status, headers=location)
