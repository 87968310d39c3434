"""Readiness: what must be there to serve, and what may be missing."""

import asyncpg
import httpx
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.registry import PROJECTIONS


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


async def test_ready_without_redis_but_degraded(config: Settings, database: str) -> None:
    app = create_app(config.model_copy(update={"database_url": database, "redis_url": "unix:///nowhere/redis.sock"}))

    answer = await ready(app)

    assert answer.status_code == 200
    assert answer.json()["redis"] == "degraded"


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
