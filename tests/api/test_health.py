"""Readiness: what must be there to serve, and what may be missing."""

import asyncio
import os
import signal
from datetime import timedelta

import asyncpg
import httpx
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.conftest import Servers
from tests.support.people import SignUp


async def test_ready_when_every_projection_has_begun(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health/ready")

    assert answer.status_code == 200
    assert {key: answer.json()[key] for key in ("status", "database", "redis", "missing")} == {
        "status": "ready",
        "database": "ok",
        "redis": "ok",
        "missing": [],
    }
    assert [standing["name"] for standing in answer.json()["projections"]] == sorted(p.name for p in PROJECTIONS)


async def test_not_ready_while_a_projection_has_no_checkpoint(api: httpx.AsyncClient, sql: Connection) -> None:
    await sql.execute("CREATE TEMP TABLE kept AS SELECT * FROM checkpoint WHERE projection = 'posts'")
    await sql.execute("DELETE FROM checkpoint WHERE projection = 'posts'")
    try:
        answer = await api.get("/health/ready")
    finally:
        await sql.execute("INSERT INTO checkpoint SELECT * FROM kept")

    assert answer.status_code == 503
    assert answer.json()["missing"] == ["posts"]


async def ready(app: FastAPI) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://inkfold.test") as client,
    ):
        assert (await client.get("/health/live")).status_code == 200
        return await client.get("/health/ready")


async def test_ready_without_redis_but_says_so(config: Settings, database: str) -> None:
    app = create_app(config.model_copy(update={"database_url": database, "redis_url": "unix:///nowhere/redis.sock"}))

    answer = await ready(app)

    assert answer.status_code == 200
    assert answer.json()["redis"] == "unreachable"


async def test_ready_while_redis_hangs(servers: Servers, api: httpx.AsyncClient) -> None:
    os.kill(servers.redis.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            hung = await api.get("/health/ready")
    finally:
        os.kill(servers.redis.pid, signal.SIGCONT)
    again = await api.get("/health/ready")

    assert (hung.status_code, hung.json()["redis"]) == (200, "unreachable")
    assert (again.status_code, again.json()["redis"]) == (200, "ok")


async def seconds_behind(api: httpx.AsyncClient) -> dict[str, float]:
    answer = await api.get("/health/ready")
    assert answer.status_code == 200
    assert all(standing["behind"] == (standing["seconds_behind"] > 0) for standing in answer.json()["projections"])
    return {standing["name"]: standing["seconds_behind"] for standing in answer.json()["projections"]}


async def test_lag_is_the_age_of_the_oldest_event_that_is_not_folded(
    api: httpx.AsyncClient, signed_up: SignUp, projector: Projector, sql: Connection
) -> None:
    await signed_up("ada")
    await sql.execute("UPDATE event SET at = at - interval '1 hour'")
    await signed_up("bob")

    lagging, shown = await seconds_behind(api), (await api.get("/metrics")).text
    await projector.fold()
    folded = await seconds_behind(api)

    assert lagging.keys() == folded.keys() == {projection.name for projection in PROJECTIONS}
    assert all(3600 <= seconds < 7200 for seconds in lagging.values())
    assert 'inkfold_projection_seconds_behind{projection="posts"} 36' in shown
    assert set(folded.values()) == {0.0}


async def test_lag_includes_what_was_in_progress_at_the_last_step(
    api: httpx.AsyncClient, signed_up: SignUp, projector: Projector, config: Settings
) -> None:
    ada = await signed_up("ada")
    slow = await asyncpg.connect(config.database_url)
    try:
        async with slow.transaction():
            await slow.execute(
                "INSERT INTO event (type, subject_id, actor_id, at) "
                "VALUES ('UserRegistered', $1, $1, now() - $2::interval)",
                ada.id,
                timedelta(hours=1),
            )
            await ada.publish()
            await projector.fold()
            assert set((await seconds_behind(api)).values()) == {0.0}
    finally:
        await slow.close()

    assert all(seconds >= 3600 for seconds in (await seconds_behind(api)).values())


async def test_not_ready_before_the_migrations(config: Settings, sql: Connection) -> None:
    await sql.execute("CREATE DATABASE unmigrated")
    try:
        url = config.database_url.replace("/inkfold?", "/unmigrated?")
        answer = await ready(create_app(config.model_copy(update={"database_url": url})))
    finally:
        await sql.execute("DROP DATABASE unmigrated WITH (FORCE)")

    assert answer.status_code == 503
    assert answer.json()["database"] == "not migrated"
    assert (await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = 'unmigrated'")) == 0


async def test_not_ready_when_the_database_cannot_be_reached(
    config: Settings, application: FastAPI, api: httpx.AsyncClient
) -> None:
    away = await asyncpg.create_pool(config.database_url, min_size=0, max_size=1)
    await away.close()
    present, application.state.reader._pool = application.state.reader._pool, away
    try:
        answer = await api.get("/health/ready")
        metrics = await api.get("/metrics")
    finally:
        application.state.reader._pool = present

    assert answer.status_code == 503
    assert answer.json()["database"] == "unreachable"
    assert metrics.status_code == 200
    assert "inkfold_projection_behind{" not in metrics.text


async def test_lag_is_found_without_reading_the_whole_log(
    api: httpx.AsyncClient,  # noqa: ARG001 - its projections have checkpoints
    sql: Connection,
) -> None:
    await sql.execute(
        "INSERT INTO event (tx, type, subject_id, actor_id) "
        "SELECT number::text::xid8, 'PostLiked', gen_random_uuid(), gen_random_uuid() "
        "FROM generate_series(1, 20000) AS number"
    )
    await sql.execute("ANALYZE event")

    plan = "\n".join(row[0] for row in await sql.fetch("EXPLAIN SELECT * FROM read_lag"))

    assert "using event_pkey on event" in plan
    assert "Seq Scan on event" not in plan


_PARKED = """
INSERT INTO parked_event (projection, tx, position, type, subject_id, actor_id, payload, at, error)
SELECT 'posts', pg_current_xact_id(), number, 'PostLiked', gen_random_uuid(), gen_random_uuid(), '{}', now(), 'no room'
FROM generate_series(1, 2) AS number
"""


async def test_ready_with_parked_events_and_paused_projections_but_shows_them(
    api: httpx.AsyncClient, sql: Connection
) -> None:
    await sql.execute(_PARKED)
    await sql.execute("UPDATE checkpoint SET status = 'paused' WHERE projection = 'ranking'")
    answer, metrics = await api.get("/health/ready"), (await api.get("/metrics")).text
    assert answer.status_code == 200
    standings = {standing["name"]: standing for standing in answer.json()["projections"]}
    assert {name for name, standing in standings.items() if standing["parked"]} == {"posts"}
    assert standings["posts"]["parked"] == 2
    assert standings["ranking"]["status"] == "paused"
    assert 'inkfold_projection_parked_events{projection="posts"} 2.0' in metrics
    assert 'inkfold_projection_parked_events{projection="ranking"} 0.0' in metrics
    assert 'inkfold_projection_state{projection="ranking",state="paused"} 1.0' in metrics
    assert 'inkfold_projection_state{projection="ranking",state="running"} 0.0' in metrics
    assert 'inkfold_projection_state{projection="posts",state="failing"} 0.0' in metrics


async def test_the_last_verification_is_a_metric(api: httpx.AsyncClient, sql: Connection) -> None:
    assert "inkfold_projection_verified_rows{" not in (await api.get("/metrics")).text
    await sql.execute("INSERT INTO verification VALUES ('posts', 'epoch'::timestamptz + '1.5 s', 0.1, 12, 3, true)")
    metrics = (await api.get("/metrics")).text
    assert 'inkfold_projection_verified_timestamp_seconds{projection="posts"} 1.5' in metrics
    assert 'inkfold_projection_verified_rows{projection="posts"} 12.0' in metrics
    assert 'inkfold_projection_verified_rows_different{projection="posts"} 3.0' in metrics
    assert 'inkfold_projection_verified_mended{projection="posts"} 1.0' in metrics
