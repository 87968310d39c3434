"""What a client wrote, and what is not there, read through a replica that lags."""

import asyncio
from contextlib import aclosing
from uuid import uuid4

from fastapi import FastAPI
from redis.asyncio import Redis

from app.embedded.postgres import EmbeddedPostgres
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import Person, anyone
from tests.support.replica import Statements, api_reading_from, pause, reasons, resume, until


async def test_queries_go_to_the_replica(
    ada: Person, projector: Projector, primary: EmbeddedPostgres, replica: EmbeddedPostgres
) -> None:
    post = await ada.publish("Read elsewhere")
    await projector.fold()
    there, here = Statements(replica), Statements(primary)

    answer = await ada.get(f"/posts/{post}/")

    assert answer.json()["title"] == "Read elsewhere"
    assert (there.of("read_post"), here.of("read_post")) == (1, 0)


async def test_own_writes_are_waited_for_while_replay_stands_still(
    ada: Person, projector: Projector, replica: EmbeddedPostgres, primary: EmbeddedPostgres
) -> None:
    await pause(replica)
    post = await ada.publish("Written")
    await ada.put(f"/posts/{post}/like/")
    await projector.fold()
    there, here = Statements(replica), Statements(primary)

    reading = asyncio.create_task(ada.get(f"/posts/{post}/"))
    await until(lambda: there.of("checkpoint") > 0)
    assert not reading.done()
    await resume(replica)
    answer = await reading

    assert (answer.status_code, answer.json()["like_count"], answer.json()["liked_by_me"]) == (200, 1, True)
    assert (there.of("read_post"), here.of("read_post")) == (1, 0)


async def test_a_token_that_was_handed_over_is_waited_for(
    app: FastAPI, ada: Person, projector: Projector, replica: EmbeddedPostgres, primary: EmbeddedPostgres
) -> None:
    post = await ada.publish("Before")
    await projector.fold()
    await ada.get(f"/posts/{post}/")
    await pause(replica)
    token = (await ada.patch(f"/posts/{post}/", json={"title": "After"})).headers["Consistency-Token"]
    await projector.fold()
    here = Statements(primary)

    async with anyone(app) as bob:
        behind = await bob.get(f"/posts/{post}/")
        reading = asyncio.create_task(bob.get(f"/posts/{post}/", headers={"Consistency-Token": token}))
        await resume(replica)
        answer = await reading

    assert (behind.json()["title"], answer.json()["title"]) == ("Before", "After")
    assert here.of("read_post") == 0


async def test_the_primary_answers_when_the_wait_is_over(
    config: Settings, projector: Projector, replica: EmbeddedPostgres, primary: EmbeddedPostgres
) -> None:
    settings = {"replica_wait_seconds": 0.02, "replica_max_lag_seconds": 3600.0}
    async with (
        api_reading_from(config, replica.dsn(), **settings) as app,
        aclosing(await Person.register(app, "ada")) as ada,
    ):
        await until(lambda: reasons(app) == [None])
        await pause(replica)
        post = await ada.publish()
        await projector.fold()
        there, here = Statements(replica), Statements(primary)

        answer = await ada.get(f"/posts/{post}/")

        assert answer.status_code == 200
        assert (there.of("read_post"), here.of("read_post")) == (0, 1)
        assert there.of("checkpoint") > 0
        assert reasons(app) == [None]


async def test_everything_committed_is_waited_for_when_redis_has_forgotten_who_wrote_what(
    ada: Person, redis: Redis, projector: Projector, replica: EmbeddedPostgres, primary: EmbeddedPostgres
) -> None:
    await pause(replica)
    post = await ada.publish()
    await projector.fold()
    await redis.flushall()
    here = Statements(primary)

    reading = asyncio.create_task(ada.get(f"/posts/?author_id={ada.id}"))
    await until(lambda: here.of("read_lag") > 0)
    await resume(replica)

    assert [item["id"] for item in (await reading).json()["items"]] == [str(post)]
    assert here.of("read_post") == 0


async def test_a_miss_is_certain_while_replay_stands_still(
    app: FastAPI, ada: Person, projector: Projector, replica: EmbeddedPostgres, primary: EmbeddedPostgres
) -> None:
    await pause(replica)
    post = await ada.publish("Not there yet")
    await projector.fold()
    here = Statements(primary)

    async with anyone(app) as bob:
        reading = asyncio.create_task(bob.get(f"/posts/{post}/"))
        await until(lambda: here.of("read_lag") > 0)
        await resume(replica)
        found, missing = await reading, await bob.get(f"/posts/{uuid4()}/")

    assert (found.status_code, missing.status_code) == (200, 404)
    assert here.of("read_post") == 0


async def test_a_token_of_the_future_is_refused_by_the_primary(
    config: Settings, replica: EmbeddedPostgres, sql: Connection
) -> None:
    token = str(await sql.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000"))
    async with api_reading_from(config, replica.dsn(), replica_wait_seconds=0.02) as app, anyone(app) as bob:
        await until(lambda: reasons(app) == [None])
        answer = await bob.get("/posts/", headers={"Consistency-Token": token})
    assert answer.status_code == 422


async def test_notifications_that_are_on_their_way_are_waited_for(
    app: FastAPI, ada: Person, projector: Projector, replica: EmbeddedPostgres
) -> None:
    async with aclosing(await Person.register(app, "bob")) as bob:
        await bob.put(f"/users/{ada.id}/subscribe/")
        post = await ada.publish("News")
        await projector.fold()
        there = Statements(replica)

        reading = asyncio.create_task(bob.get("/notifications/"))
        await until(lambda: there.of("read_announcement") > 0)
        await projector.announce()
        await projector.fold()
        answer = (await reading).json()

    assert [item["post_id"] for item in answer["items"]] == [str(post)]


async def test_top_posts_are_as_new_as_the_last_step_whatever_the_replica_lacks(
    app: FastAPI, ada: Person, redis: Redis, projector: Projector, replica: EmbeddedPostgres
) -> None:
    post = await ada.publish()
    await projector.fold()
    await ada.get("/posts/")
    async with anyone(app) as bob:
        await pause(replica)
        await ada.put(f"/posts/{post}/like/")
        await projector.fold()
        await redis.delete(projector.cache._top_key)

        older = await bob.get("/posts/top/")
        reading = asyncio.create_task(ada.get("/posts/top/"))
        await resume(replica)
        own = await reading
        newest = await bob.get("/posts/top/")

    assert [older.headers["X-Cache"], own.headers["X-Cache"], newest.headers["X-Cache"]] == ["miss", "miss", "hit"]
    assert [older.json()["items"][0]["like_count"], own.json()["items"][0]["like_count"]] == [0, 1]
    assert newest.json() == own.json()
