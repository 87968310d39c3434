"""Accounts and sessions over HTTP."""

from uuid import UUID

import httpx
import pytest
from passlib.hash import argon2

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import PASSWORD, SignUp


async def test_registering_answers_the_account_and_where_it_is(api: httpx.AsyncClient) -> None:
    answer = await api.post(
        "/auth/register/", json={"username": "Ada", "email": " Ada@Example.ORG ", "password": PASSWORD}
    )

    assert answer.status_code == 201
    account = answer.json()
    assert account.keys() == {"id", "username", "email", "is_active", "created_at"}
    assert (account["username"], account["email"], account["is_active"]) == ("Ada", "ada@example.org", True)
    assert account["created_at"].endswith("Z")
    assert answer.headers["location"] == f"/users/{UUID(account['id'])}/"
    assert answer.headers["consistency-token"].isdecimal()


@pytest.mark.parametrize(
    ("username", "email", "field"), [("ADA", "x@example.org", "username"), ("x-y", "ADA@Example.org", "email")]
)
async def test_taken_name_or_address_is_named_in_any_letter_case(
    api: httpx.AsyncClient, signed_up: SignUp, username: str, email: str, field: str
) -> None:
    await signed_up("ada")

    answer = await api.post("/auth/register/", json={"username": username, "email": email, "password": PASSWORD})

    assert answer.status_code == 409
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "request_body",
    [
        {"json": {"username": "ADA", "password": PASSWORD}},
        {"json": {"username": "ada@example.org", "password": PASSWORD}},
        {"json": {"email": "Ada@Example.org", "password": PASSWORD}},
        {"data": {"grant_type": "password", "username": "ada", "password": PASSWORD, "scope": "", "client_id": "x"}},
        {"data": {"username": "ada@example.org", "password": PASSWORD}},
    ],
    ids=["name", "address as name", "address", "form", "form with address"],
)
async def test_signing_in_works_as_json_and_as_form(
    api: httpx.AsyncClient, signed_up: SignUp, request_body: dict[str, dict[str, str]]
) -> None:
    await signed_up("ada")

    answer = await api.post("/auth/login/", **request_body)  # type: ignore[arg-type]  # by keyword

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 900)


async def test_signing_in_works_with_an_address_longer_than_any_username(api: httpx.AsyncClient) -> None:
    email = f"{'a' * 54}@example.org"
    account = {"username": "ada", "email": email, "password": PASSWORD}
    assert (await api.post("/auth/register/", json=account)).status_code == 201

    answers = [
        await api.post("/auth/login/", json={field: email.upper(), "password": PASSWORD})
        for field in ("username", "email")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize(
    "login",
    ["x" * 33, "x" * 254, "İ" * 20, f"{'İ' * 150}@example.org"],
    ids=["name", "longest", "name that grows", "address that grows"],
)
@pytest.mark.parametrize("field", ["username", "email"])
async def test_login_too_long_for_any_account_is_answered_like_a_wrong_one(
    api: httpx.AsyncClient, login: str, field: str
) -> None:
    wrong = await api.post("/auth/login/", json={field: "nobody", "password": PASSWORD})

    answer = await api.post("/auth/login/", json={field: login, "password": PASSWORD})

    assert answer.status_code == 401
    assert answer.json() == wrong.json()


async def test_signing_in_renews_a_hash_of_older_parameters(signed_up: SignUp, sql: Connection) -> None:
    ada = await signed_up("ada")
    weak = argon2.using(type="ID", memory_cost=1024, time_cost=1, parallelism=1).hash(PASSWORD)
    await sql.execute("UPDATE users SET hashed_password = $1", weak)

    answers = [await ada.post("/auth/login/", json={"username": "ada", "password": PASSWORD}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await sql.fetchval("SELECT hashed_password FROM users")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_refreshed_token_is_good_and_a_session_that_ended_is_not(
    api: httpx.AsyncClient, signed_up: SignUp, projector: Projector
) -> None:
    ada = await signed_up("ada")
    await projector.fold()

    refreshed = await api.post("/auth/refresh/", json={"refresh_token": ada.refresh_token})
    token, successor = refreshed.json()["access_token"], refreshed.json()["refresh_token"]
    me = await api.get("/auth/me/", headers={"Authorization": f"bearer {token}"})
    await api.post("/auth/logout/", json={"refresh_token": successor})
    ended = await api.post("/auth/refresh/", json={"refresh_token": successor})

    assert me.json()["username"] == "ada"
    assert me.json()["email"] == "ada@example.org"
    assert me.headers["cache-control"] == "no-store"
    assert ended.status_code == 401
    assert ended.json()["type"] == "/problems/invalid-refresh-token"
