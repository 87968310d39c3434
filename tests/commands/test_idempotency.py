"""Commands that come with an idempotency key: done once, answered alike, and refused where the key is another's."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from app.command_store import Committed, Transaction
from app.commands.likes import ToggleLike, toggle_like
from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from app.commands.posts import PublishPost, WrittenPost, publish_post
from app.commands.subscriptions import ToggleSubscription, toggle_subscription
from app.commands.users import RegisteredUser, RegisterUser, register_user
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused, PostNotFound, UsernameTaken
from app.idempotency import IdempotencyKey, forget_expired, once
from app.ids import new_id
from projections.projector import Projector
from tests.commands.conftest import MakeStore
from tests.support.blog import Blog, happened
from tests.support.waiting import until

KEY = IdempotencyKey(text="8e03978e-40d5-43dd-bc93-6894a57f9324", hours=24)

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
_EXPIRE = "UPDATE idempotency_key SET expires_at = now()"


@dataclass(frozen=True)
class Scene:
    """Bob follows Ada, who has published a post; he has been notified."""

    blog: Blog
    ada: RegisteredUser
    bob: RegisteredUser
    post: WrittenPost
    notification_id: UUID

    async def publish(self, title: str = "Second", *, key: IdempotencyKey = KEY) -> Committed[WrittenPost]:
        command = PublishPost(author_id=self.ada.id, title=title, content="Text.")
        return await publish_post(self.blog.store, command, key=key)

    async def toggle(self, *, by: RegisteredUser | None = None, post_id: UUID | None = None) -> Committed[bool]:
        command = ToggleLike(post_id=post_id or self.post.id, user_id=(by or self.bob).id)
        return await toggle_like(self.blog.store, command, key=KEY)

    async def follow(self, target: RegisteredUser) -> Committed[bool]:
        command = ToggleSubscription(subscriber_id=self.bob.id, target_user_id=target.id)
        return await toggle_subscription(self.blog.store, command, key=KEY)

    async def register(self, username: str = "eve", hashed_password: str | None = None) -> Committed[RegisteredUser]:
        hashed = hashed_password or secrets.token_hex()
        command = RegisterUser(username=username, email="eve@example.org", hashed_password=hashed)
        return await register_user(self.blog.store, command, key=KEY)

    async def read_one(self) -> Committed[Any]:
        command = ReadNotification(notification_id=self.notification_id, user_id=self.bob.id)
        return await read_notification(self.blog.store, command, key=KEY)

    async def read_all(self) -> Committed[int]:
        return await read_all_notifications(self.blog.store, ReadAllNotifications(user_id=self.bob.id), key=KEY)

    async def keys(self) -> list[str]:
        rows = await self.blog.sql.fetch("SELECT key FROM idempotency_key ORDER BY key")
        return [row["key"] for row in rows]

    @asynccontextmanager
    async def locked_post(self) -> AsyncIterator[None]:
        """Hold up whoever likes the post."""
        async with self.blog.sql.transaction():
            await self.blog.sql.execute("SELECT FROM posts WHERE id = $1 FOR UPDATE", self.post.id)
            yield


Act = Callable[[Scene], Awaitable[Committed[Any]]]

ACTS: dict[str, Act] = {
    "register": Scene.register,
    "publish": Scene.publish,
    "toggle a like": Scene.toggle,
    "toggle a subscription": lambda scene: scene.follow(scene.ada),
    "read one": Scene.read_one,
    "read all": Scene.read_all,
}

#: Of each pair, the second may not have the key of the first.
OTHERS: dict[str, tuple[Act, Act]] = {
    "body": (Scene.publish, lambda scene: scene.publish("Third")),
    "name": (Scene.register, lambda scene: scene.register("mallory")),
    "thing": (Scene.toggle, lambda scene: scene.toggle(post_id=new_id())),
    "kind": (Scene.read_one, Scene.read_all),
}


@pytest.fixture
async def scene(blog: Blog) -> Scene:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.announce()
    return Scene(blog, ada, bob, post, await blog.notification_of(bob, post))


@pytest.fixture
def blocked(projector: Projector) -> Callable[[], Awaitable[bool]]:
    """Says whether somebody waits for a lock."""

    async def look() -> bool:
        return bool(await projector.pool.fetchval(_BLOCKED))

    return look


@pytest.mark.parametrize("command", ACTS)
async def test_a_command_sent_again_is_answered_alike_and_done_once(scene: Scene, command: str) -> None:
    first = await ACTS[command](scene)
    done = await happened(scene.blog.sql)
    assert first.token is not None
    assert await ACTS[command](scene) == first
    assert await happened(scene.blog.sql) == done
    assert await scene.keys() == [KEY.text]


async def test_any_process_knows_what_another_has_answered(scene: Scene, make_store: MakeStore) -> None:
    first = await scene.publish()
    elsewhere = replace(scene, blog=Blog(await make_store(), scene.blog.sql))
    assert await elsewhere.publish() == first


async def test_the_first_answer_stays_whatever_has_happened_since(scene: Scene) -> None:
    liked = await scene.toggle()
    await scene.blog.unlike(scene.post, scene.bob)
    assert await scene.toggle() == liked
    assert await scene.blog.sql.fetchval("SELECT count(*) FROM likes") == 0


async def test_what_changed_nothing_is_answered_alike_too(scene: Scene) -> None:
    await scene.blog.sql.execute("UPDATE notifications SET is_read = true")
    first = await scene.read_all()
    await scene.blog.sql.execute("UPDATE notifications SET is_read = false")
    assert first == Committed(value=0, token=None)
    assert await scene.read_all() == first


async def test_the_sender_of_a_command_sees_it_once_it_is_answered_again(scene: Scene, projector: Projector) -> None:
    first = await scene.publish()
    await projector.redis.flushall()
    await scene.publish()
    assert first.token is not None
    assert int(first.token) in (await projector.cache.recall_tokens(scene.ada.id)).tokens


@pytest.mark.parametrize("what", OTHERS)
async def test_another_command_under_the_same_key_is_refused_and_changes_nothing(scene: Scene, what: str) -> None:
    act, other = OTHERS[what]
    first = await act(scene)
    done = await happened(scene.blog.sql)
    with pytest.raises(IdempotencyKeyReused):
        await other(scene)
    assert await happened(scene.blog.sql) == done
    assert await act(scene) == first


def test_commands_of_two_kinds_are_two_though_they_say_the_same() -> None:
    @dataclass(frozen=True)
    class Muting:
        user_id: UUID

    muting = once(KEY, Muting(user_id=UUID(int=1)), answers=int)
    reading = once(KEY, ReadAllNotifications(user_id=UUID(int=1)), answers=int)
    assert muting is not None
    assert reading is not None
    assert muting.fingerprint != reading.fingerprint


async def test_another_user_may_have_the_same_key(scene: Scene) -> None:
    answers = [await scene.toggle(by=scene.bob), await scene.toggle(by=scene.ada)]
    assert [answer.value for answer in answers] == [True, True]
    assert answers[0].token != answers[1].token
    assert await scene.blog.sql.fetchval("SELECT count(*) FROM likes") == 2


async def test_while_the_first_runs_another_is_refused_without_waiting(
    scene: Scene, blocked: Callable[[], Awaitable[bool]]
) -> None:
    async with scene.locked_post():
        first = asyncio.create_task(scene.toggle())
        await until(blocked)
        with pytest.raises(IdempotencyKeyInUse):
            await scene.toggle()
    liked = await first
    assert liked.value is True
    assert await scene.toggle() == liked


async def test_while_the_first_runs_another_key_and_another_users_are_free(
    scene: Scene, blocked: Callable[[], Awaitable[bool]]
) -> None:
    another = IdempotencyKey(text="another", hours=24)
    command = ReadAllNotifications(user_id=scene.bob.id)
    async with scene.locked_post():
        first = asyncio.create_task(scene.toggle(by=scene.bob))
        await until(blocked)
        assert (await read_all_notifications(scene.blog.store, command, key=another)).value == 1
        assert (await scene.publish()).value.author_id == scene.ada.id
    assert (await first).value is True
    assert await scene.keys() == sorted([KEY.text, KEY.text, another.text])


async def test_many_at_once_are_done_once(scene: Scene) -> None:
    answers = await asyncio.gather(*(scene.toggle() for _ in range(20)), return_exceptions=True)
    liked = [answer for answer in answers if not isinstance(answer, IdempotencyKeyInUse)]
    assert liked
    assert liked == [await scene.toggle()] * len(liked)
    assert [event[0] for event in await happened(scene.blog.sql)].count("PostLiked") == 1


async def test_a_refused_command_leaves_its_key_unused(scene: Scene) -> None:
    with pytest.raises(PostNotFound):
        await scene.toggle(post_id=new_id())
    with pytest.raises(UsernameTaken):
        await scene.register(scene.ada.username)
    assert await scene.keys() == []
    assert (await scene.toggle()).value is True
    assert (await scene.register()).value.username == "eve"


async def test_a_command_that_is_rolled_back_leaves_its_key_unused(scene: Scene) -> None:
    await scene.blog.sql.execute("ALTER TABLE event ADD CONSTRAINT no_second CHECK (type <> 'PostPublished') NOT VALID")
    try:
        with pytest.raises(Exception, match="no_second"):
            await scene.publish()
    finally:
        await scene.blog.sql.execute("ALTER TABLE event DROP CONSTRAINT no_second")
    assert await scene.keys() == []
    assert (await scene.publish("Third")).value.title == "Third"


async def test_a_command_that_is_tried_again_is_kept_once(scene: Scene) -> None:
    attempts = 0

    async def work(transaction: Transaction) -> int:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            await transaction.fetch("DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$")
        return attempts

    command = ReadAllNotifications(user_id=scene.bob.id)
    answer = await scene.blog.store.transact(work, once=once(KEY, command, by=scene.bob.id, answers=int))
    assert answer.value == 3
    assert await scene.read_all() == answer


@pytest.mark.parametrize("end", [_EXPIRE, "DELETE FROM idempotency_key"])
async def test_a_key_that_has_expired_or_is_gone_is_as_good_as_new(scene: Scene, end: str) -> None:
    await scene.publish()
    await scene.blog.sql.execute(end)
    third = await scene.publish("Third")
    assert third.value.title == "Third"
    assert await scene.publish("Third") == third
    assert await scene.keys() == [KEY.text]


async def test_a_key_expires_when_it_is_said_to(scene: Scene) -> None:
    await scene.publish(key=IdempotencyKey(text="short", hours=0.5))
    left = await scene.blog.sql.fetchval("SELECT extract(epoch FROM expires_at - now()) FROM idempotency_key")
    assert 1_700 < left <= 1_800


async def test_an_answer_that_can_not_be_read_any_more_is_refused(scene: Scene) -> None:
    await scene.publish()
    await scene.blog.sql.execute("UPDATE idempotency_key SET answer = '{}'")
    with pytest.raises(IdempotencyKeyReused, match="renewed"):
        await scene.publish()


async def test_no_password_is_told_by_what_is_kept(scene: Scene) -> None:
    first = await scene.register(hashed_password="the-first-hash")
    assert await scene.register(hashed_password="another-hash") == first
    assert "hash" not in str(await scene.blog.sql.fetchval("SELECT answer::text FROM idempotency_key"))
    assert await scene.blog.sql.fetchval("SELECT hashed_password FROM users WHERE username = 'eve'") == "the-first-hash"


async def test_the_worker_forgets_what_has_expired_and_nothing_else(scene: Scene, projector: Projector) -> None:
    for number in range(5):
        await scene.publish(key=IdempotencyKey(text=f"old {number}", hours=1))
    await scene.blog.sql.execute(_EXPIRE)
    await scene.publish()
    assert await forget_expired(projector.pool, chunk=2) == 5
    assert await scene.keys() == [KEY.text]
    await scene.blog.sql.execute(_EXPIRE)
    assert await projector.upkeep.forget_keys() == 1


async def test_a_key_that_is_used_anew_while_it_is_forgotten_stays(
    scene: Scene, projector: Projector, blocked: Callable[[], Awaitable[bool]]
) -> None:
    await scene.publish()
    await scene.blog.sql.execute(_EXPIRE)
    async with scene.blog.sql.transaction():
        await scene.blog.sql.execute("UPDATE idempotency_key SET expires_at = now() + interval '1 day'")
        forgetting = asyncio.create_task(forget_expired(projector.pool))
        await until(blocked)
    assert await forgetting == 0
    assert await scene.keys() == [KEY.text]
