"""How often a command goes to PostgreSQL and back: a like or a subscription once, and it is committed then."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app.command_store import CommandStore
from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.commands.posts import PublishPost, WrittenPost, publish_post
from app.commands.subscriptions import (
    Subscribe,
    ToggleSubscription,
    Unsubscribe,
    subscribe,
    toggle_subscription,
    unsubscribe,
)
from app.commands.users import RegisteredUser
from app.idempotency import IdempotencyKey
from tests.commands.conftest import MakeStore
from tests.support.blog import Blog

Act = Callable[[Blog, RegisteredUser, WrittenPost], Awaitable[object]]

ONCE: dict[str, Act] = {
    "like": lambda blog, user, post: like_post(blog.store, LikePost(post_id=post.id, user_id=user.id)),
    "unlike": lambda blog, user, post: unlike_post(blog.store, UnlikePost(post_id=post.id, user_id=user.id)),
    "toggle": lambda blog, user, post: toggle_like(blog.store, ToggleLike(post_id=post.id, user_id=user.id)),
    "subscribe": lambda blog, user, post: subscribe(
        blog.store, Subscribe(subscriber_id=user.id, target_user_id=post.author_id)
    ),
    "unsubscribe": lambda blog, user, post: unsubscribe(
        blog.store, Unsubscribe(subscriber_id=user.id, target_user_id=post.author_id)
    ),
    "toggle a subscription": lambda blog, user, post: toggle_subscription(
        blog.store, ToggleSubscription(subscriber_id=user.id, target_user_id=post.author_id)
    ),
}

KEY = IdempotencyKey(text="8e03978e", hours=24)


def publish_keyed(blog: Blog, user: RegisteredUser, _post: WrittenPost) -> Awaitable[object]:
    return publish_post(blog.store, PublishPost(author_id=user.id, title="A title", content="Text."), key=KEY)


def toggle_keyed(blog: Blog, user: RegisteredUser, post: WrittenPost) -> Awaitable[object]:
    return toggle_like(blog.store, ToggleLike(post_id=post.id, user_id=user.id), key=KEY)


#: With BEGIN and COMMIT; a key takes three more, and one that is known five in all: who may write is asked for, too.
SEVERAL: dict[str, tuple[Act, int]] = {
    "register": (lambda blog, _user, _post: blog.user(), 4),
    "publish": (lambda blog, user, _post: blog.post(user), 6),
    "edit": (lambda blog, _user, post: blog.edit(post, title="Other"), 6),
    "delete": (lambda blog, _user, post: blog.delete(post), 7),
    "publish with a key": (publish_keyed, 9),
    "toggle with a key": (toggle_keyed, 6),
}


@asynccontextmanager
async def statements(store: CommandStore) -> AsyncIterator[list[str]]:
    """Collect what goes over the only connection of `store`."""
    sent: list[str] = []

    def note(query: object) -> None:
        sent.append(str(query.query))  # type: ignore[attr-defined]

    async with store._models.db().acquire_connection() as connection:
        connection.add_query_logger(note)
    yield sent
    async with store._models.db().acquire_connection() as connection:
        connection.remove_query_logger(note)


@pytest.mark.parametrize("command", ONCE)
async def test_a_like_or_a_subscription_goes_to_postgresql_once(
    blog: Blog, make_store: MakeStore, command: str
) -> None:
    own = Blog(await make_store(pool_size=1), blog.sql)
    ada, bob = await own.users(2)
    post = await own.post(ada)
    for _ in range(2):  # the second time another way, or nothing is to be done
        async with statements(own.store) as sent:
            await ONCE[command](own, bob, post)
        assert len(sent) == 1


@pytest.mark.parametrize("command", SEVERAL)
async def test_other_commands_send_no_statement_more_than_they_need(
    blog: Blog, make_store: MakeStore, command: str
) -> None:
    own = Blog(await make_store(pool_size=1), blog.sql)
    ada = await own.user()
    post = await own.post(ada)
    act, number = SEVERAL[command]
    async with statements(own.store) as sent:
        await act(own, ada, post)
    assert len(sent) == number, sent


@pytest.mark.parametrize("act", [publish_keyed, toggle_keyed])
async def test_what_is_done_already_is_not_tried_again(blog: Blog, make_store: MakeStore, act: Act) -> None:
    own = Blog(await make_store(pool_size=1), blog.sql)
    ada = await own.user()
    post = await own.post(ada)
    await act(own, ada, post)
    async with statements(own.store) as sent:
        await act(own, ada, post)
    assert len(sent) == 5, sent


async def test_what_is_answered_is_on_disk(make_store: MakeStore) -> None:
    store = await make_store(pool_size=1)
    async with store._models.db().acquire_connection() as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        assert await connection.fetchval("SHOW TimeZone") == "UTC"  # in which events write moments
