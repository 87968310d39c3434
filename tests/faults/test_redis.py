"""Redis away, emptied, or full: commands and queries go on, and what it held is put right again."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from uuid import UUID

import orjson
import pytest
from redis.asyncio import Redis

from app.commands.likes import ToggleLike, toggle_like
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.conftest import Servers
from tests.support.blog import Blog
from tests.support.people import Person, SignUp
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until
from tests.support.worker_process import worker_process

TRUTH = """
SELECT p.id, count(l.id) AS likes
FROM posts p
LEFT JOIN likes l ON l.post_id = p.id
GROUP BY p.id
ORDER BY likes DESC, p.id DESC
LIMIT 10
"""

Top = list[tuple[UUID, int]]


async def top_in_sql(sql: Connection) -> Top:
    return [(row["id"], row["likes"]) for row in await sql.fetch(TRUTH)]


def top_in_redis_equals_sql(projector: Projector, sql: Connection) -> Callable[[], Awaitable[bool]]:
    async def equal() -> bool:
        top = await projector.cache.read_top()
        items = orjson.loads(top.body)["items"] if top else []
        return [(UUID(item["id"]), item["like_count"]) for item in items] == await top_in_sql(sql)

    return equal


async def commands_and_queries_go_on(ada: Person, bob: Person) -> UUID:
    """Hold that every kind of command succeeds and that the next query knows of it; return a post."""
    post = await ada.publish()
    assert (await bob.put(f"/users/{ada.id}/subscribe/")).status_code == 200
    assert (await bob.put(f"/posts/{post}/like/")).status_code == 200
    assert (await ada.patch(f"/posts/{post}/", json={"title": "Another"})).status_code == 200
    shown = await bob.get(f"/posts/{post}/")
    assert shown.status_code == 200
    assert (shown.json()["like_count"], shown.json()["liked_by_me"]) == (1, True)
    assert [item["title"] for item in (await ada.get("/posts/")).json()["items"]] == ["Another"]
    assert (await bob.get("/posts/top/")).json()["items"][0]["like_count"] == 1
    assert (await bob.get("/users/subscriptions/")).json()["total"] == 1
    return post


async def test_fault_10_commands_and_queries_go_on_while_redis_is_down(
    signed_up: SignUp, projector: Projector, servers: Servers, sql: Connection, read_side: ReadSide
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    with worker_process():
        await ada.get("/auth/me/")
        servers.redis.stop()
        try:
            post = await commands_and_queries_go_on(ada, bob)
            assert (await ada.get("/health/ready")).json()["redis"] == "unreachable"
        finally:
            servers.redis.start()
        assert (await bob.delete(f"/posts/{post}/like/")).status_code == 200
        assert (await bob.get(f"/posts/{post}/")).json()["like_count"] == 0
        await until(top_in_redis_equals_sql(projector, sql))
        assert (await ada.get("/health/ready")).json()["redis"] == "ok"
    await read_side.is_exact()


async def test_a_worker_outlives_the_loss_of_both_servers(signed_up: SignUp, servers: Servers) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    with worker_process() as worker:
        await ada.get("/auth/me/")
        servers.redis.stop()
        try:
            post = await ada.publish()
            assert (await bob.get(f"/posts/{post}/")).status_code == 200
            servers.postgres.stop("immediate")
            servers.postgres.start()
            assert (await bob.put(f"/posts/{post}/like/")).status_code == 200
            assert (await bob.get(f"/posts/{post}/")).json()["like_count"] == 1
            assert worker.poll() is None
        finally:
            servers.redis.start()
        assert (await bob.delete(f"/posts/{post}/like/")).status_code == 200
        assert (await bob.get(f"/posts/{post}/")).json()["like_count"] == 0
        assert worker.poll() is None


@pytest.mark.usefixtures("worker")
async def test_fault_11_the_top_posts_are_right_again_after_redis_was_emptied_among_writers(
    blog: Blog, projector: Projector, redis: Redis, read_side: ReadSide
) -> None:
    users = await blog.users(8)
    posts = [await blog.post(user) for user in users * 2]
    writing = True

    async def write(random: Random) -> None:
        while writing:
            toggle = ToggleLike(post_id=random.choice(posts).id, user_id=random.choice(users).id)
            await toggle_like(blog.store, toggle)

    writers = [asyncio.create_task(write(Random(number))) for number in range(4)]
    for _ in range(10):
        await redis.flushall()
        await until(projector.cache.read_top)
    writing = False
    await asyncio.gather(*writers)
    await until(top_in_redis_equals_sql(projector, blog.sql))
    await read_side.is_exact()


async def test_fault_12_commands_and_queries_go_on_while_redis_is_full(
    signed_up: SignUp, projector: Projector, redis: Redis, sql: Connection, read_side: ReadSide
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    with worker_process():
        await ada.get("/auth/me/")
        await redis.config_set("maxmemory", 1)
        try:
            await commands_and_queries_go_on(ada, bob)
        finally:
            await redis.config_set("maxmemory", 0)
        await until(top_in_redis_equals_sql(projector, sql))
    await read_side.is_exact()
