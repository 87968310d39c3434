"""Accounts and sessions over HTTP."""

from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from passlib.hash import argon2

from app.commands.activation import DeactivateUser, deactivate_user
from app.identity.usernames import RULE
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
    ("username", "email", "field"),
    [
        ("KEVIN", "x@example.org", "username"),
        ("Kev1n", "x@example.org", "username"),
        ("kevln", "x@example.org", "username"),
        ("x-y", "KEVIN@Example.org", "email"),
        ("x-y", "kevin@\N{FULLWIDTH LATIN SMALL LETTER E}xample.org", "email"),
    ],
    ids=["letter case", "1 for i", "l for i", "letter case of the address", "another form of the domain"],
)
async def test_taken_name_or_address_is_named_whatever_form_it_is_sent_in(
    api: httpx.AsyncClient, signed_up: SignUp, username: str, email: str, field: str
) -> None:
    await signed_up("kevin")

    answer = await api.post("/auth/register/", json={"username": username, "email": email, "password": PASSWORD})

    assert answer.status_code == 409
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "username", ["\N{KELVIN SIGN}evin", "Andr\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{CYRILLIC SMALL LETTER A}da"]
)
async def test_name_beyond_ascii_is_refused_with_the_rule(
    api: httpx.AsyncClient, sql: Connection, username: str
) -> None:
    account = {"username": username, "email": "kevin@example.org", "password": PASSWORD}

    answer = await api.post("/auth/register/", json=account)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "username", "message": RULE}]
    assert await sql.fetchval("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    "email", ["kevin@localhost", "kevin@example.invalid", "\N{KELVIN SIGN}evin@example.org", f"{'k' * 65}@example.org"]
)
async def test_address_that_no_mail_server_takes_is_refused(
    api: httpx.AsyncClient, sql: Connection, email: str
) -> None:
    answer = await api.post("/auth/register/", json={"username": "kevin", "email": email, "password": PASSWORD})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "email", "message": "This must be an e-mail address."}]
    assert await sql.fetchval("SELECT count(*) FROM users") == 0


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


@pytest.mark.parametrize("twice", ["username", "password", "grant_type", "scope"])
async def test_form_with_a_field_sent_twice_is_refused(api: httpx.AsyncClient, signed_up: SignUp, twice: str) -> None:
    await signed_up("ada")
    form = {"grant_type": "password", "username": "ada", "password": PASSWORD, "scope": ""}

    answer = await api.post("/auth/login/", data={**form, twice: [form[twice]] * 2})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Send each field once."


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


async def test_refresh_token_replayed_later_ends_its_session_and_no_other(
    api: httpx.AsyncClient, signed_up: SignUp, sql: Connection
) -> None:
    ada = await signed_up("ada")
    elsewhere = (await api.post("/auth/login/", json={"username": "ada", "password": PASSWORD})).json()["refresh_token"]
    successor = (await api.post("/auth/refresh/", json={"refresh_token": ada.refresh_token})).json()["refresh_token"]
    await sql.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'")

    replayed = await api.post("/auth/refresh/", json={"refresh_token": ada.refresh_token})
    after = await api.post("/auth/refresh/", json={"refresh_token": successor})

    assert [answer.status_code for answer in (replayed, after)] == [401, 401]
    assert {answer.json()["type"] for answer in (replayed, after)} == {"/problems/invalid-refresh-token"}
    assert (await api.post("/auth/refresh/", json={"refresh_token": elsewhere})).status_code == 200


async def test_signing_out_everywhere_ends_every_session_at_once(
    api: httpx.AsyncClient, signed_up: SignUp, projector: Projector
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    await projector.fold()
    login = {"username": "ada", "password": PASSWORD}
    elsewhere = (await api.post("/auth/login/", json=login)).json()
    stolen = {"Authorization": f"Bearer {elsewhere['access_token']}"}

    ended = await ada.post("/auth/logout-all/")

    assert (ended.status_code, ended.content, ended.headers["cache-control"]) == (204, b"", "no-store")
    for token in (ada.refresh_token, elsewhere["refresh_token"]):
        assert (await api.post("/auth/refresh/", json={"refresh_token": token})).status_code == 401
    for headers in (dict(ada.headers), stolen):
        for refused in (
            await api.put(f"/posts/{post}/like/", headers=headers),
            await api.post("/posts/", json={"title": "T", "content": "C"}, headers=headers),
            await api.post("/auth/logout-all/", headers=headers),
        ):
            assert refused.status_code == 401
            assert refused.json()["type"] == "/problems/access-ended"
            assert refused.headers["www-authenticate"] == "Bearer"
        assert (await api.get("/feed/", headers=headers)).status_code == 200
        assert (await api.get("/auth/me/", headers=headers)).status_code == 200


async def test_who_signs_in_again_in_the_second_of_the_end_writes_at_once(
    api: httpx.AsyncClient, signed_up: SignUp
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    login = {"username": "ada", "password": PASSWORD}
    for _ in range(3):
        tokens = (await api.post("/auth/login/", json=login)).json()
        again = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await api.post(f"/posts/{post}/like/", headers=again)).status_code == 200
        refreshed = (await api.post("/auth/refresh/", json={"refresh_token": tokens["refresh_token"]})).json()
        again = {"Authorization": f"Bearer {refreshed['access_token']}"}
        assert (await api.post("/auth/logout-all/", headers=again)).status_code == 204
        assert (await api.post(f"/posts/{post}/like/", headers=again)).status_code == 401


async def test_who_is_deactivated_can_do_nothing_but_read_until_the_token_runs_out(
    api: httpx.AsyncClient, signed_up: SignUp, application: FastAPI, projector: Projector
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    await deactivate_user(application.state.store, DeactivateUser(login="ada"))
    await projector.fold()

    signing_in = await api.post("/auth/login/", json={"username": "ada", "password": PASSWORD})
    refreshing = await api.post("/auth/refresh/", json={"refresh_token": ada.refresh_token})
    writing = await ada.put(f"/posts/{post}/like/")

    assert [answer.status_code for answer in (signing_in, refreshing, writing)] == [401, 401, 401]
    assert writing.json()["type"] == "/problems/access-ended"
    assert (await ada.get("/auth/me/")).json()["is_active"] is False
    assert (await api.get(f"/posts/{post}/")).status_code == 200
