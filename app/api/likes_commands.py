"""Likes over HTTP: POST toggles, PUT and DELETE say which way and may be repeated."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import command_answer
from app.api.dependencies import SignedIn, Store
from app.api.frame.problems import problems
from app.api.idempotency_keys import SentKey
from app.api.schemas import LikeState
from app.command_store import Committed
from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.errors import AccessEnded, PostNotFound, Unauthenticated

router = APIRouter(prefix="/posts/{post_id}/like", tags=["likes"])

_RESPONSES = problems(Unauthenticated, AccessEnded, PostNotFound)


@router.post("/", summary="Like, or take the like back", response_model=LikeState, responses=_RESPONSES)
async def toggle_post_like(post_id: UUID, user: SignedIn, store: Store, key: SentKey) -> Response:
    """Like the post if you don't, else take the like back. Not to be repeated without a key: PUT and DELETE are."""
    command = ToggleLike(post_id=post_id, user_id=user.id, token_issued_at=user.issued_at)
    return _answer(await toggle_like(store, command, key=key))


@router.put("/", summary="Like", response_model=LikeState, responses=_RESPONSES)
async def give_post_like(post_id: UUID, user: SignedIn, store: Store) -> Response:
    """Like the post; if you do already, nothing changes."""
    command = LikePost(post_id=post_id, user_id=user.id, token_issued_at=user.issued_at)
    return _answer(await like_post(store, command))


@router.delete("/", summary="Take the like back", response_model=LikeState, responses=_RESPONSES)
async def take_back_post_like(post_id: UUID, user: SignedIn, store: Store) -> Response:
    """Don't like the post; if you don't already, nothing changes."""
    command = UnlikePost(post_id=post_id, user_id=user.id, token_issued_at=user.issued_at)
    return _answer(await unlike_post(store, command))


def _answer(committed: Committed[bool]) -> Response:
    return command_answer(committed, {"liked": committed.value})
