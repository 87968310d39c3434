"""Errors: each one is a problem (RFC 9457) that says what to do and repeats nothing that was sent."""

import logging
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from tortoise.exceptions import DBConnectionError

from app.errors import EmailTaken, InkfoldError, Overloaded
from app.main import create_app
from app.security.access_tokens import Principal
from app.settings import Settings
from tests.support.people import PASSWORD, SignUp

USERNAME_RULE = (
    "3 to 32 letters of A to Z in either case, digits, dots, hyphens and underscores; "
    "the first and the last is a letter or digit."
)
SECRET = "what-the-client-sent"
DEACTIVATE = "UPDATE users SET is_active = false WHERE id = $1"


@pytest.fixture
def broken(config: Settings) -> FastAPI:
    """An app without a database, on which a test puts a route that fails."""
    return create_app(config)


async def answer_to(app: FastAPI, error: Exception) -> httpx.Response:
    async def fail() -> None:
        raise error

    app.add_api_route("/fails/", fail)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inkfold.test") as client:
        return await client.get("/fails/")


async def test_unknown_path_is_404(api: httpx.AsyncClient) -> None:
    answer = await api.get("/nowhere/")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such thing here.",
    }


async def test_wrong_method_names_those_of_every_route_of_the_path(api: httpx.AsyncClient) -> None:
    answer = await api.post(f"/posts/{uuid4()}")

    assert answer.status_code == 405
    assert answer.json()["type"] == "/problems/method-not-allowed"
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


async def test_unexpected_error_tells_its_request_id_and_nothing_else(
    broken: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await answer_to(broken, RuntimeError(SECRET))

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert SECRET in caplog.text
    assert record.exc_info is not None


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.TooManyConnectionsError("too many clients"),
        DBConnectionError("can't connect"),
        ConnectionRefusedError("refused"),
        Overloaded(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_database_out_of_reach_is_503_with_the_time_to_try_again(broken: FastAPI, error: Exception) -> None:
    answer = await answer_to(broken, error)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_error_of_one_field_names_it(broken: FastAPI) -> None:
    answer = await answer_to(broken, EmailTaken(field="email"))

    assert answer.status_code == 409
    assert answer.json()["errors"] == [{"field": "email", "message": "This e-mail address is registered already."}]


async def test_status_without_a_kind_of_ours_is_a_plain_problem(broken: FastAPI) -> None:
    answer = await answer_to(broken, HTTPException(418, detail=SECRET, headers={"X-Tea": "green"}))

    assert answer.status_code == 418
    assert answer.headers["x-tea"] == "green"
    assert answer.json() == {"type": "about:blank", "title": "I'm a Teapot", "status": 418}


async def test_faults_name_fields_and_repeat_no_value(api: httpx.AsyncClient) -> None:
    body = {"username": f"{SECRET}!", "email": SECRET, "password": "short", f"<{SECRET}>": 1, "is_admin": True}

    answer = await api.post("/auth/register/", json=body)

    assert answer.status_code == 422
    assert SECRET not in answer.text
    faults = {fault["field"]: fault["message"] for fault in answer.json()["errors"]}
    assert faults.keys() == {"username", "email", "password", "(unnamed)", "is_admin"}
    assert faults["email"] == "This must be an e-mail address."
    assert faults["is_admin"] == "There is no such field here."


async def test_missing_token_asks_for_a_bearer(api: httpx.AsyncClient) -> None:
    answer = await api.get("/auth/me/")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_wrong_sign_ins_cannot_be_told_apart(
    api: httpx.AsyncClient, signed_up: SignUp, application: FastAPI
) -> None:
    await signed_up("ada")
    gone = await signed_up("gone")
    await application.state.store.transact(lambda transaction: transaction.fetch(DEACTIVATE, gone.id))

    attempts = [("ada", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD)]
    answers = [await api.post("/auth/login/", json={"username": name, "password": word}) for name, word in attempts]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


async def test_token_of_an_account_that_is_gone_is_401_for_a_command(
    api: httpx.AsyncClient, application: FastAPI
) -> None:
    token = application.state.access_tokens.issue(Principal(id=uuid4(), username="ghost"))

    answer = await api.post(
        "/posts/", json={"title": "Boo", "content": "Boo."}, headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 401


async def test_body_beyond_the_limit_is_413_announced_or_not(api: httpx.AsyncClient, config: Settings) -> None:
    sent: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.append(65_536)
            yield b" " * 65_536

    headers = {"Content-Type": "application/json"}
    streamed = await api.post("/auth/login/", content=endless(), headers=headers)
    announced = await api.post("/auth/login/", content=b" " * (config.body_limit_bytes + 1), headers=headers)

    for answer in (streamed, announced):
        assert answer.status_code == 413
        assert answer.json()["type"] == "/problems/content-too-large"
    assert sum(sent) <= config.body_limit_bytes + 65_536


async def test_type_of_every_problem_can_be_read(api: httpx.AsyncClient) -> None:
    kinds = (await api.get("/problems/")).json()["items"]

    assert len({kind["type"] for kind in kinds}) == len(kinds)
    for kind in kinds:
        answer = await api.get(kind["type"])
        assert answer.json() == kind
        assert kind["detail"]
    assert (await api.get("/problems/no-such-kind")).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("password", "short", "This must have at least 8 characters."),
        ("password", "x" * 129, "This must have at most 128 characters."),
        ("username", "-ada", USERNAME_RULE),
        ("username", "ad", USERNAME_RULE),
        ("username", 3, "This must be text."),
    ],
)
async def test_what_does_not_fit_is_told_in_terms_of_text(
    api: httpx.AsyncClient, field: str, value: object, message: str
) -> None:
    person = {"username": "ada", "email": "ada@example.org", "password": PASSWORD, field: value}
    answer = await api.post("/auth/register/", json=person)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "message": message}]


def test_the_root_of_all_kinds_says_what_to_do() -> None:
    assert InkfoldError().detail == "Something went wrong here. Try again; if it stays, report the request id."
