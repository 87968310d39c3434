"""The first page as one would serve it otherwise: bare ASGI apps on uvicorn, each with its own way to the data.

Run as a program: `python -m loadtests.bench.screens PORT WAY`, beside a system.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
import orjson
from tortoise.functions import Count

from app.db import bind_models, open_commands, open_query_pool
from app.queries.list_posts import ListPosts
from app.queries.reader import Reader
from app.settings import settings
from loadtests.bench.bare import Message, serve

#: Returns the body of an answer.
Screen = Callable[[], Awaitable[bytes]]

_LIMIT: Final = 20
_EXCERPT: Final = 280

# What one has without projections: everything is put together when it is asked for, at best in one statement.
_JOINED: Final = f"""
SELECT
    p.id, p.title, p.author_id, u.username, p.created_at, p.updated_at,
    CASE WHEN length(p.content) > {_EXCERPT} THEN left(p.content, {_EXCERPT - 1}) || '…' ELSE p.content END AS excerpt,
    (SELECT count(*) FROM likes l WHERE l.post_id = p.id) AS like_count,
    (SELECT count(*) FROM posts) AS total
FROM (SELECT * FROM posts ORDER BY created_at DESC, id DESC LIMIT {_LIMIT + 1}) p
JOIN users u ON u.id = p.author_id
ORDER BY p.created_at DESC, p.id DESC
"""


async def _joined(stack: AsyncExitStack) -> Screen:
    pool = await stack.enter_async_context(asyncpg.create_pool(settings().database_url, min_size=10, max_size=10))

    async def screen() -> bytes:
        rows = await pool.fetch(_JOINED)
        cards = [
            {
                "id": row["id"],
                "title": row["title"],
                "excerpt": row["excerpt"],
                "author": {"id": row["author_id"], "username": row["username"]},
                "like_count": row["like_count"],
                "created_at": row["created_at"],
                "updated_at": row["updated_at"],
            }
            for row in rows[:_LIMIT]
        ]
        return orjson.dumps({"items": cards, "next_cursor": None, "total": rows[0]["total"]}, default=str)

    return screen


async def _tortoise(stack: AsyncExitStack) -> Screen:
    models = await open_commands(settings())
    stack.push_async_callback(models.close_connections)
    assert models.apps is not None
    post, like = models.apps["blog"]["Post"], models.apps["blog"]["Like"]

    async def screen() -> bytes:
        bind_models(models)
        posts: list[Any] = await post.all().order_by("-created_at", "-id").limit(_LIMIT + 1).select_related("author")
        ids = [each.id for each in posts]
        counted = (
            await like.filter(post_id__in=ids).annotate(n=Count("id")).group_by("post_id").values_list("post_id", "n")
        )
        likes = dict(counted)
        cards = [_card(each, likes.get(each.id, 0)) for each in posts[:_LIMIT]]
        return orjson.dumps({"items": cards, "next_cursor": None, "total": await post.all().count()}, default=str)

    return screen


def _card(post: Any, likes: int) -> dict[str, Any]:
    content = post.content
    return {
        "id": post.id,
        "title": post.title,
        "excerpt": content if len(content) <= _EXCERPT else content[: _EXCERPT - 1] + "…",
        "author": {"id": post.author.id, "username": post.author.username},
        "like_count": likes,
        "created_at": post.created_at,
        "updated_at": post.updated_at,
    }


async def _statement(stack: AsyncExitStack) -> Screen:
    pool = await open_query_pool(settings())
    stack.push_async_callback(pool.close)
    reader = Reader(pool, timeout_seconds=5)

    async def screen() -> bytes:
        return orjson.dumps(await ListPosts(viewer_id=None, limit=_LIMIT).fetch(reader), default=str)

    return screen


WAYS: Final[Mapping[str, Callable[[AsyncExitStack], Awaitable[Screen]]]] = {
    "tortoise": _tortoise,
    "join": _joined,
    "statement": _statement,
}


class ScreenApp:
    """An ASGI app that answers everything with one screen."""

    def __init__(self, way: str) -> None:
        self._way = way
        self._screen: Screen

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer a request, or live as long as the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = await self._screen()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            self._screen = await WAYS[self._way](stack)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    serve(ScreenApp(sys.argv[2]), int(sys.argv[1]), lifespan="on")
