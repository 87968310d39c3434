"""The ten most liked posts: from Redis while it has them, exact whether it does or not."""

import httpx
import pytest
from redis.asyncio import Redis

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import Person, SignUp


async def top(client: httpx.AsyncClient) -> tuple[str, list[tuple[str, int]]]:
    answer = await client.get("/posts/top/")
    assert answer.status_code == 200
    return answer.headers["X-Cache"], [(item["title"], item["like_count"]) for item in answer.json()["items"]]


@pytest.fixture
async def ada(signed_up: SignUp, projector: Projector) -> Person:
    """Who has written two posts, both folded, and likes one."""
    ada = await signed_up("ada")
    liked = await ada.publish("Liked")
    await ada.publish("Unliked")
    await ada.put(f"/posts/{liked}/like/")
    await projector.fold()
    return ada


async def test_the_list_comes_from_redis_once_it_is_there(ada: Person) -> None:
    assert await top(ada) == ("hit", [("Liked", 1), ("Unliked", 0)])


async def test_a_query_parameter_sent_twice_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.get("/posts/top/?limit=1&limit=2")
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-input"


@pytest.mark.usefixtures("ada")
async def test_what_redis_has_lost_is_read_and_put_back(api: httpx.AsyncClient, redis: Redis) -> None:
    await redis.flushall()
    assert await top(api) == ("miss", [("Liked", 1), ("Unliked", 0)])
    assert (await top(api))[0] == "hit"


async def test_whoever_redis_has_forgotten_is_still_answered_from_it(ada: Person, redis: Redis) -> None:
    await redis.flushall()
    await top(ada)
    assert await top(ada) == ("hit", [("Liked", 1), ("Unliked", 0)])


async def test_a_list_older_than_the_newest_step_is_not_served(
    ada: Person, api: httpx.AsyncClient, redis: Redis, projector: Projector
) -> None:
    old = await projector.cache.read_top()
    assert old is not None
    await ada.publish("Newer")
    await projector.fold()
    await redis.delete(projector.cache._top_key)
    await projector.cache.write_top(old)
    assert len((await top(api))[1]) == 3


async def test_an_older_list_never_takes_the_place_of_a_newer_one(
    ada: Person, projector: Projector, sql: Connection
) -> None:
    older = await projector.cache.read_top()
    await ada.publish("Newer")
    await projector.fold()
    newer = await projector.cache.read_top()
    assert older is not None
    assert newer is not None
    await projector.cache.write_top(older)
    assert await projector.cache.read_top() == newer
    assert await sql.fetchval("SELECT count(*) FROM read_post_rank") == 3
