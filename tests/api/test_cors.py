"""Pages of other origins: those that CORS_ORIGINS names are let in, ahead of FastAPI and behind it alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from app.main import Api, create_app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import Person, anyone

PAGE, OTHER = "https://blog.example.org", "https://evil.example.org"
#: Sent with a request, it makes FastAPI answer.
TO_FASTAPI = {"Range": "bytes=0-"}
OF_CORS = "access-control-"


@asynccontextmanager
async def serving(config: Settings, *origins: str) -> AsyncIterator[FastAPI]:
    app = create_app(config.model_copy(update={"cors_origins": origins}))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="module")
async def open_to_page(config: Settings, migrated: Projector) -> AsyncIterator[FastAPI]:  # noqa: ARG001 - built
    async with serving(config, PAGE) as app:
        yield app


@pytest.fixture
async def client(open_to_page: FastAPI, sql: Connection) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ARG001 - emptied
    async with anyone(open_to_page) as client:
        yield client


def preflight(origin: str = PAGE, *, method: str = "PUT", headers: str = "authorization") -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}


async def test_without_the_setting_no_page_is_told_anything(api: httpx.AsyncClient) -> None:
    answer = await api.get("/posts/", headers={"Origin": PAGE})

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith(OF_CORS)]
    assert (await api.options("/posts/", headers=preflight())).status_code == 405


@pytest.mark.parametrize("also", [{}, TO_FASTAPI], ids=["lane", "FastAPI"])
async def test_a_page_that_is_named_may_read_the_answer(client: httpx.AsyncClient, also: dict[str, str]) -> None:
    answer = await client.get("/posts/", headers={"Origin": PAGE, **also})

    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    shown = answer.headers["access-control-expose-headers"]
    assert {"Consistency-Token", "ETag", "RateLimit", "Retry-After"} <= set(shown.split(", "))


@pytest.mark.parametrize("also", [{}, TO_FASTAPI], ids=["lane", "FastAPI"])
@pytest.mark.parametrize("origin", [OTHER, "null", f"{PAGE}.evil.org", "http://blog.example.org", f"{PAGE}:444"])
async def test_another_page_may_not(client: httpx.AsyncClient, origin: str, also: dict[str, str]) -> None:
    answer = await client.get("/posts/", headers={"Origin": origin, **also})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/posts/", "/posts/top/", "/posts/?limit=3"])
@pytest.mark.parametrize("origin", [PAGE, OTHER, None])
async def test_the_lane_tells_pages_what_fastapi_does(
    open_to_page: FastAPI, client: httpx.AsyncClient, path: str, origin: str | None
) -> None:
    assert isinstance(open_to_page, Api)
    assert open_to_page.lane is not None
    sent = {"X-Request-ID": "same"} | ({} if origin is None else {"Origin": origin})
    await client.get(path, headers=sent)
    ahead = await client.get(path, headers=sent)
    behind = await client.get(path, headers=sent | TO_FASTAPI)

    assert sorted(ahead.headers.raw) == sorted(behind.headers.raw)
    assert ahead.content == behind.content


async def test_a_like_from_a_page_is_told_to_it_in_the_lane_too(
    open_to_page: FastAPI, client: httpx.AsyncClient
) -> None:
    del client  # emptied
    ada = await Person.register(open_to_page, "ada")
    post = await ada.publish()
    for also in ({}, {"Transfer-Encoding": "chunked"}):
        answer = await ada.put(f"/posts/{post}/like/", headers={"Origin": PAGE, **also})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
    await ada.aclose()


async def test_a_browser_that_asks_first_is_told_what_a_page_may_send(client: httpx.AsyncClient) -> None:
    sent = "authorization, content-type, consistency-token, idempotency-key, if-match, if-none-match, prefer"
    answer = await client.options("/posts/", headers=preflight(headers=sent))

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "asked",
    [preflight(OTHER), preflight(method="TRACE"), preflight(headers="x-anything")],
    ids=["origin", "method", "header"],
)
async def test_what_a_page_may_not_send_is_refused_with_a_problem(
    client: httpx.AsyncClient, asked: dict[str, str]
) -> None:
    answer = await client.options("/posts/", headers=asked)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/preflight-refused"
    assert "access-control-allow-origin" not in answer.headers


async def test_errors_are_told_to_pages_as_well(client: httpx.AsyncClient) -> None:
    for path, status in (("/nowhere/", 404), ("/auth/me/", 401), ("/posts/?limit=0", 422)):
        answer = await client.get(path, headers={"Origin": PAGE})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == PAGE


async def test_every_page_may_where_all_are_let_in(config: Settings, sql: Connection, migrated: Projector) -> None:
    del sql, migrated
    async with serving(config, "*") as app, anyone(app) as client:
        answer = await client.get("/posts/", headers={"Origin": OTHER})

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
