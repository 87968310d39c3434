"""Who comes while too many wait for a password to be hashed: refused at once, at no cost, and nobody is kept out."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.settings import Settings
from tests.support.limited_api import client_from, limited_api
from tests.support.people import PASSWORD, SignUp

ACCOUNT = {"username": "bob", "email": "bob@example.org", "password": PASSWORD}


@pytest.fixture
def full(application: FastAPI, config: Settings) -> Iterator[ExitStack]:
    """All places, held until the stack is closed."""
    with ExitStack() as places:
        for _ in range(config.hashing_threads + config.hashing_queue):
            places.enter_context(application.state.passwords.place())
        yield places


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/login", "/auth/register/", "/auth/register"])
async def test_without_a_place_one_is_told_to_come_again_whatever_one_sends(
    api: httpx.AsyncClient, full: ExitStack, path: str
) -> None:
    for body in (ACCOUNT, {}):
        answer = await api.post(path, json=body)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
        assert answer.headers["Retry-After"] == "1"
    full.close()
    assert (await api.post("/auth/register/", json=ACCOUNT)).status_code == 201
    assert (await api.post("/auth/login/", json={"username": "bob", "password": PASSWORD})).status_code == 200


async def test_everything_else_is_done_without_a_place(
    signed_up: SignUp, api: httpx.AsyncClient, application: FastAPI, config: Settings
) -> None:
    ada = await signed_up("ada")
    with ExitStack() as places:
        for _ in range(config.hashing_threads + config.hashing_queue):
            places.enter_context(application.state.passwords.place())
        assert (await api.post("/auth/refresh/", json={"refresh_token": ada.refresh_token})).status_code == 200
        assert (await api.get("/auth/login/")).status_code == 405
        assert (await api.get("/posts/")).status_code == 200
        await ada.publish()


@pytest.mark.usefixtures("sql", "redis")
async def test_who_is_refused_a_place_has_not_used_up_an_attempt(config: Settings) -> None:
    async with limited_api(config, login_address="1/hour") as app, client_from(app, "203.0.113.9") as far:
        with ExitStack() as places:
            for _ in range(config.hashing_threads + config.hashing_queue):
                places.enter_context(app.state.passwords.place())
            refused = [(await far.post("/auth/login/", json=ACCOUNT)).status_code for _ in range(3)]
        attempt = {"username": "eve", "password": PASSWORD}
        tried = [(await far.post("/auth/login/", json=attempt)).status_code for _ in range(2)]
    assert refused == [503, 503, 503]
    assert tried == [401, 429]


async def test_whose_body_is_not_whole_takes_no_place(application: FastAPI, config: Settings) -> None:
    asked = asyncio.Event()

    async def never_whole() -> Message:
        if asked.is_set():
            await asyncio.Event().wait()
        asked.set()
        return {"type": "http.request", "body": b'{"username": ', "more_body": True}

    async def send(_: Message) -> None:
        raise AssertionError("There is nothing to answer yet.")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/auth/login/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "client": None,
    }
    slow = [asyncio.create_task(application({**scope}, never_whole, send)) for _ in range(3)]
    async with asyncio.timeout(10):
        await asked.wait()

    assert application.state.passwords._free_places == config.hashing_threads + config.hashing_queue
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_a_body_beyond_the_limit_is_refused_while_it_streams(api: httpx.AsyncClient, config: Settings) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(config.body_limit_bytes // 65_536 + 2):
            yield b" " * 65_536

    answer = await api.post("/auth/login/", content=chunks(), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/content-too-large")
