"""Rate limits: who asks too often is refused, alike by the lane and by FastAPI, and nobody else is."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from http import HTTPStatus

import httpx
import pytest

from app.main import Api
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.limited_api import client_from, limited_api
from tests.support.people import PASSWORD, Person, anyone
from tests.support.raw_asgi import RawRequest, ask
from tests.support.waiting import until

Limited = Callable[..., AbstractAsyncContextManager[Api]]

FAR, FARTHER = "203.0.113.9", "198.51.100.7"
#: Sent with a request, each makes FastAPI answer.
READ_BY_FASTAPI, WRITTEN_BY_FASTAPI = {"Range": "bytes=0-"}, {"Expect": "nothing"}


@pytest.fixture
def limited(config: Settings, sql: Connection) -> Limited:  # noqa: ARG001 - emptied first
    """The API with these rates: `async with limited(writes="3/hour") as app:`."""
    return partial(limited_api, config)


def shape(answer: httpx.Response) -> tuple[object, ...]:
    """Return an answer without its numbers, which tell of the moment."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "x-request-id")
    return answer.status_code, *(re.sub("[0-9]+", "#", str(part)) for part in (headers, answer.text))


def left(answer: httpx.Response) -> int | None:
    """Return how many requests are left, as the answer says."""
    found = re.search(r";r=(\d+)", answer.headers.get("RateLimit", ""))
    return int(found[1]) if found else None


def account(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"username": name, "email": f"{name}@example.org", "password": password}


async def attempt(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/auth/login/", json={"username": name, "password": password})


async def test_whoever_writes_too_often_is_refused_and_changes_nothing(limited: Limited, sql: Connection) -> None:
    async with limited(writes="3/hour") as app:
        ada, bob = await Person.register(app, "ada"), await Person.register(app, "bob")
        like = f"/posts/{await ada.publish()}/like/"
        allowed = [await ada.put(like), await ada.delete(like)]
        refused = await ada.put(like)
        by_bob = await bob.delete(like)
    assert [(answer.status_code, left(answer)) for answer in allowed] == [(200, 1), (200, 0)]
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["type"] == "/problems/rate-limited"
    assert refused.headers["RateLimit-Policy"] == '"writes";q=3;w=3600'
    seconds = refused.headers["Retry-After"]
    assert refused.headers["RateLimit"] == f'"writes";r=0;t={seconds}'
    assert 0 < int(seconds) <= 3600
    assert f"Try again in {int(seconds):,} seconds." in refused.json()["detail"]
    assert by_bob.status_code == 200
    assert await sql.fetchval("SELECT count(*) FROM likes") == 0


async def test_a_password_guessed_by_registering_again_counts_as_an_attempt_to_sign_in(limited: Limited) -> None:
    key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    async with limited(login="3/hour") as app, anyone(app) as client:
        await client.post("/auth/register/", json=account("ada"), headers=key)
        guesses = [
            await client.post("/auth/register/", json=account("ada", f"wrong guess {number}"), headers=key)
            for number in range(3)
        ]
        refused = await client.post("/auth/register/", json=account("ada"), headers=key)
        signing_in = await attempt(client, "ada")
    assert [answer.status_code for answer in guesses] == [422] * 3
    assert [answer.status_code for answer in (refused, signing_in)] == [429, 429]


async def test_a_new_window_begins_when_the_old_one_is_over(limited: Limited) -> None:
    async with limited(writes="1/second") as app:
        ada = await Person.register(app, "ada")

        async def answered(status: HTTPStatus) -> bool:
            return (await ada.post("/notifications/read-all/")).status_code == status

        await until(partial(answered, HTTPStatus.TOO_MANY_REQUESTS))
        await until(partial(answered, HTTPStatus.OK))


async def test_the_lane_and_fastapi_count_together_and_refuse_alike(limited: Limited, projector: Projector) -> None:
    async with limited(writes="4/hour", reads="4/hour") as app:
        ada = await Person.register(app, "ada")
        like = f"/posts/{await ada.publish()}/like/"
        written = [await ada.put(like, headers=headers) for headers in ({}, WRITTEN_BY_FASTAPI, {})]
        await projector.fold()
        read = [await ada.get("/posts/", headers=headers) for headers in ({}, READ_BY_FASTAPI, {}, READ_BY_FASTAPI)]
        writes = [await ada.put(like, headers=headers) for headers in ({}, WRITTEN_BY_FASTAPI)]
        reads = [await ada.get("/posts/", headers=headers) for headers in ({}, READ_BY_FASTAPI)]
    assert [left(answer) for answer in written] == [2, 1, 0]
    assert [left(answer) for answer in read] == [None, 2, 1, 0]  # reads say so from the half on
    for lane, fastapi in (writes, reads):
        assert lane.status_code == 429
        assert shape(lane) == shape(fastapi)


async def test_what_the_lane_passes_on_counts_once(limited: Limited, projector: Projector) -> None:
    async with limited(reads="4/hour") as app:
        ada = await Person.register(app, "ada")
        await projector.fold()
        for _ in range(4):
            assert (await ada.get("/posts/00000000-0000-7000-8000-000000000000/")).status_code == 404
        assert (await ada.get("/posts/")).status_code == 429


async def test_anonymous_readers_count_by_their_address(limited: Limited) -> None:
    async with (
        limited(reads="3/hour") as app,
        client_from(app, FAR) as far,
        client_from(app, FAR, Authorization="Bearer nonsense") as forging,
        client_from(app, FARTHER) as farther,
    ):
        assert [(await far.get(path)).status_code for path in ("/posts/", "/posts/top/")] == [200, 200]
        assert (await forging.get("/posts/")).status_code == 401
        assert (await far.get("/posts/")).status_code == 429
        assert (await far.head("/analytics/likes/")).status_code == 429
        assert (await farther.get("/posts/")).status_code == 200


async def test_a_user_counts_as_one_wherever_they_come_from(limited: Limited, projector: Projector) -> None:
    async with limited(reads="2/hour") as app:
        ada = await Person.register(app, "ada")
        await projector.fold()
        token = ada.headers["Authorization"]
        async with client_from(app, FAR, Authorization=token) as far, client_from(app, FAR) as anonymous:
            statuses = [(await client.get("/feed/")).status_code for client in (ada, far, ada, far)]
            assert statuses == [200, 200, 429, 429]
            assert (await anonymous.get("/posts/")).status_code == 200


async def test_this_machine_has_no_address_that_is_limited(limited: Limited) -> None:
    async with (
        limited(reads="1/hour", writes="1/hour", login_address="1/hour", register="1/hour") as app,
        client_from(app, "127.0.0.1") as near,
        client_from(app, "::1") as nearer,
    ):
        for number in range(2):
            for client in (near, nearer):
                assert (await client.get("/posts/")).status_code == 200
                assert (await client.post("/auth/logout/", json={"refresh_token": "unknown"})).status_code == 204
            name = f"ada{number}"
            assert (await near.post("/auth/register/", json=account(name))).status_code == 201
            assert (await attempt(near, name)).status_code == 200
            assert (await ask(app, RawRequest("GET", "/posts/"))).status == 200


async def test_an_account_is_tried_only_so_often_whether_it_is_there_or_not(limited: Limited) -> None:
    async with limited(login="3/hour") as app, anyone(app) as client:
        for name in ("ada", "bob"):
            assert (await client.post("/auth/register/", json=account(name))).status_code == 201
        known = [await attempt(client, name, "wrong password") for name in ("ada", "ADA", " ada ")]
        unknown = [await attempt(client, "nobody", "wrong password") for _ in range(3)]
        assert [(answer.status_code, left(answer)) for answer in known] == [(401, 2), (401, 1), (401, 0)]
        assert [shape(answer) for answer in known] == [shape(answer) for answer in unknown]
        right, refused = await attempt(client, "ada"), await attempt(client, "nobody")
        assert right.status_code == 429
        assert shape(right) == shape(refused)
        assert (await attempt(client, "bob")).status_code == 200


async def test_an_address_signs_in_and_registers_only_so_often(limited: Limited) -> None:
    async with (
        limited(login="9/hour", login_address="2/hour", register="2/hour") as app,
        client_from(app, FAR) as far,
        client_from(app, FARTHER) as farther,
    ):
        registered = [await far.post("/auth/register/", json=account(name)) for name in ("ada", "bob", "eve")]
        signed_in = [await attempt(far, name) for name in ("ada", "bob", "ada")]
        assert [answer.status_code for answer in registered] == [201, 201, 429]
        assert [answer.status_code for answer in signed_in] == [200, 200, 429]
        assert registered[0].headers["RateLimit-Policy"] == '"register";q=2;w=3600'
        assert signed_in[0].headers["RateLimit-Policy"] == '"login-address";q=2;w=3600, "login";q=9;w=3600'
        assert (await farther.post("/auth/register/", json=account("eve"))).status_code == 201
        assert (await attempt(farther, "ada")).status_code == 200


async def test_what_watches_and_what_explains_is_not_limited(limited: Limited) -> None:
    async with limited(reads="1/hour", writes="1/hour") as app, client_from(app, FAR) as far:
        for path in ("/", "/health/live", "/metrics", "/docs", "/openapi.json", "/problems/rate-limited/"):
            for _ in range(2):
                answer = await far.get(path)
                assert (answer.status_code, left(answer)) == (200, None), path
        assert [(await far.options("/posts/")).status_code for _ in range(2)] == [405, 405]


async def test_without_limits_nothing_is_said_of_them(limited: Limited, projector: Projector) -> None:
    async with limited() as app:
        ada = await Person.register(app, "ada")
        like = f"/posts/{await ada.publish()}/like/"
        await projector.fold()
        answers = [await ada.put(like), await attempt(ada, "ada")]
        await projector.fold()
        answers += [await ada.get("/posts/"), await ada.get("/auth/me/")]
    assert {answer.status_code for answer in answers} == {200}
    assert not [answer.headers for answer in answers if "RateLimit" in answer.headers]
