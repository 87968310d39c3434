"""The fast lane where something goes wrong: FastAPI says what, and each request is counted once all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from app.api.operations.metrics import Metrics
from projections.engine.checkpoint import Connection, touch
from projections.projector import Projector
from tests.support.people import Person, SignUp
from tests.support.waiting import until

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def ada(signed_up: SignUp, projector: Projector) -> Person:
    ada = await signed_up("ada")
    await ada.publish("A title")
    await projector.fold()
    return ada


@asynccontextmanager
async def refused(sql: Connection, table: str) -> AsyncIterator[None]:
    """Let no query read the table."""
    await sql.execute(f"REVOKE SELECT ON {table} FROM inkfold_reader")
    try:
        yield
    finally:
        await sql.execute(f"GRANT SELECT ON {table} TO inkfold_reader")


def counted(application: FastAPI, method: str, route: str, status: int) -> float:
    metrics: Metrics = application.state.metrics
    metrics.flush()
    labels = {"method": method, "route": route, "status": str(status)}
    return metrics.registry.get_sample_value("inkfold_http_requests_total", labels) or 0


async def test_a_failure_that_nobody_expected_is_answered_as_fastapi_answers_it(
    ada: Person, sql: Connection, application: FastAPI
) -> None:
    before = counted(application, "GET", "/posts/", 500)
    async with refused(sql, "read_post"):
        lane = await ada.get("/posts/")
        fastapi = await ada.get("/posts/", headers={"Range": "bytes=0-"})
    for answer in (lane, fastapi):
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert counted(application, "GET", "/posts/", 500) == before + 2


@pytest.mark.parametrize(
    ("method", "route", "table"),
    [
        ("GET", "/posts/", "read_post"),
        ("PUT", "/users/{user_id}/subscribe/", "users"),
    ],
)
async def test_a_request_that_is_cancelled_is_counted_once(
    ada: Person, sql: Connection, application: FastAPI, *, method: str, route: str, table: str
) -> None:
    before, answering = counted(application, method, route, 499), application.state.metrics.answering
    async with sql.transaction():
        await sql.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.create_task(ada.request(method, route.format(user_id="00000000-0000-7000-8000-000000000000")))
        await until(lambda: sql.fetchval(_BLOCKED))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert counted(application, method, route, 499) == before + 1
    assert application.state.metrics.answering == answering


async def test_the_top_posts_that_redis_held_are_not_kept_once_they_were_mended(
    ada: Person, api: httpx.AsyncClient, sql: Connection, projector: Projector
) -> None:
    await projector.news.renew_top(anyway=True)
    assert (await api.get("/posts/top/")).json()["items"][0]["like_count"] == 0
    await sql.execute("UPDATE read_post_rank SET like_count = 7")
    await touch(sql, "ranking")
    await api.get("/posts/top/")  # before Redis is told
    await projector.cache.forget_top()
    for client in (api, ada, api):
        assert (await client.get("/posts/top/")).json()["items"][0]["like_count"] == 7


async def test_the_top_posts_name_a_post_as_it_is_while_the_ranking_stands_still(
    ada: Person, api: httpx.AsyncClient, sql: Connection, projector: Projector
) -> None:
    await projector.news.renew_top(anyway=True)
    [post] = (await api.get("/posts/top/")).json()["items"]
    await sql.execute("UPDATE checkpoint SET status = 'paused' WHERE projection = 'ranking'")
    changed = await ada.patch(f"/posts/{post['id']}/", json={"title": "Another title"})
    assert changed.status_code == 200
    await projector.fold()
    for headers in ({}, {"Range": "bytes=0-"}):
        [shown] = (await api.get("/posts/top/", headers=headers)).json()["items"]
        assert shown["title"] == "Another title"
