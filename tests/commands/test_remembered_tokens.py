"""What Redis remembers of who wrote what, and when it is not to be trusted."""

import time
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app import cache as memory
from app.cache import Cache
from app.ids import new_id
from projections.projector import Projector
from tests.support.blog import Blog

pytestmark = pytest.mark.usefixtures("sql")


@pytest.fixture
async def trusted(redis: Redis) -> Cache:
    """A memory that Redis has kept long enough."""
    await redis.set(memory._SINCE_KEY, int(time.time()) - memory.TOKEN_SECONDS - 1)
    return Cache(redis, cluster=1)


async def test_of_writes_side_by_side_every_one_is_remembered(trusted: Cache) -> None:
    ada = new_id()
    await trusted.remember_token(ada, "3192")
    await trusted.remember_token(ada, "3153")
    recalled = await trusted.recall_tokens(ada)
    assert (set(recalled.tokens), recalled.trusted) == ({3192, 3153}, True)


async def test_who_wrote_more_than_is_remembered_is_checked_for_all(trusted: Cache) -> None:
    ada = new_id()
    for token in range(memory.MOST_TOKENS + 1):
        await trusted.remember_token(ada, str(token))
    recalled = await trusted.recall_tokens(ada)
    assert (len(recalled.tokens), recalled.trusted) == (memory.MOST_TOKENS, False)


async def test_a_memory_younger_than_a_token_may_live_is_not_trusted(redis: Redis) -> None:
    cache = Cache(redis, cluster=1)
    await cache.remember_token(new_id(), "7")
    assert not (await cache.recall_tokens(new_id())).trusted


async def test_a_memory_is_not_trusted_after_redis_was_away(trusted: Cache, redis: Redis) -> None:
    assert (await trusted.recall_tokens(uuid4())).trusted
    trusted.lapse()
    assert not (await trusted.recall_tokens(uuid4())).trusted
    another_process = Cache(redis, cluster=1)
    assert not (await another_process.recall_tokens(uuid4())).trusted


async def test_a_memory_is_not_trusted_while_redis_is_away() -> None:
    nowhere = Redis.from_url("unix:///nowhere/redis.sock")
    cache = Cache(nowhere, cluster=1)
    await cache.remember_token(uuid4(), "7")
    assert not (await cache.recall_tokens(uuid4())).trusted
    await nowhere.aclose()


async def test_what_the_worker_writes_for_an_author_is_not_taken_for_a_write_of_theirs(
    blog: Blog, projector: Projector
) -> None:
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.subscribe(bob, ada)
    await blog.post(ada)
    before = await projector.cache.recall_tokens(ada.id)
    await projector.announce()
    assert await blog.sql.fetchval("SELECT count(*) FROM notifications") == 1
    assert await projector.cache.recall_tokens(ada.id) == before
