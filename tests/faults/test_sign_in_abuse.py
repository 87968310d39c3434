"""Forged and stolen tokens, guessing who has an account, floods of logins, and names that look alike."""

import asyncio
import time
from collections import Counter
from threading import Event
from typing import Any
from uuid import UUID

import argon2.low_level
import httpx
import jwt
import pytest
from fastapi import FastAPI

from app.security.passwords import PasswordHasher
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.faults.conftest import PATIENCE_SECONDS
from tests.support.people import PASSWORD, Person, SignUp

LOGINS = 200
KEY = "a-secret-that-only-these-tests-know"
KELVIN = "\u212a"  # looks like a K, and is one in lower case

_BEYOND_THE_GRACE = "UPDATE refresh_tokens SET used_at = used_at - interval '1 minute' WHERE used_at IS NOT NULL"


def token_of(person: Person) -> str:
    return person.headers["Authorization"].removeprefix("Bearer ")


def forge(token: str, *, key: str | None = KEY, algorithm: str = "HS256", header: Any = None, **claims: Any) -> str:
    """Sign a good token anew with some things otherwise; a claim that is None is left out."""
    good = jwt.decode_complete(token, options={"verify_signature": False})
    payload = {name: value for name, value in (good["payload"] | claims).items() if value is not None}
    kept = {name: value for name, value in good["header"].items() if name != "alg"}
    return jwt.encode(payload, key, algorithm=algorithm, headers=kept | (header or {}))


async def test_fault_32_a_token_that_is_not_an_unexpired_access_token_of_ours_is_refused(
    signed_up: SignUp, projector: Projector, api: httpx.AsyncClient
) -> None:
    ada = await signed_up("ada")
    await projector.fold()
    token, now = token_of(ada), int(time.time())
    bad = {
        "signed by nobody": forge(token, key=None, algorithm="none"),
        "another algorithm": forge(token, key=KEY * 2, algorithm="HS512"),
        "another key": forge(token, key=KEY[::-1]),
        "without an end": forge(token, exp=None),
        "ended": forge(token, iat=now - 1000, exp=now - 1),
        "of another type": forge(token, header={"typ": "JWT"}),
        "for others": forge(token, aud="others"),
        "by others": forge(token, iss="others"),
        "without a subject": forge(token, sub=None),
        "a refresh token": ada.refresh_token,
        "cut short": token[:-2],
    }

    for why, text in bad.items():
        for method, path in (("GET", "/auth/me/"), ("GET", "/posts/"), ("PUT", f"/users/{ada.id}/subscribe/")):
            answer = await api.request(method, path, headers={"Authorization": f"Bearer {text}"})
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated"), why
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    good = forge(token, jti="another one")
    assert (await api.get("/auth/me/", headers={"Authorization": f"Bearer {good}"})).status_code == 200


async def test_fault_33_a_refresh_token_sent_again_ends_its_family_and_no_other(
    signed_up: SignUp, api: httpx.AsyncClient, sql: Connection
) -> None:
    ada = await signed_up("ada")
    stolen = ada.refresh_token
    elsewhere = await sign_in(api, "ada")
    rotated = await refresh(api, stolen)
    await sql.execute(_BEYOND_THE_GRACE)

    replay = await refresh(api, stolen)
    successor = await refresh(api, rotated.json()["refresh_token"])
    other = await refresh(api, elsewhere.json()["refresh_token"])

    assert [answer.status_code for answer in (rotated, replay, successor, other)] == [200, 401, 401, 200]
    assert replay.json() == successor.json()


async def sign_in(api: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/auth/login/", json={"username": username, "password": password})


async def refresh(api: httpx.AsyncClient, token: str) -> httpx.Response:
    return await api.post("/auth/refresh/", json={"refresh_token": token})


async def test_fault_34_nobody_learns_from_a_login_whether_there_is_such_an_account(
    signed_up: SignUp, api: httpx.AsyncClient, sql: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_up("ada")
    gone = await signed_up("gone")
    await sql.execute("UPDATE users SET is_active = false WHERE id = $1", gone.id)
    verify, verified = argon2.low_level.verify_secret, Counter[str]()

    def counting(hashed: bytes, secret: bytes, kind: argon2.low_level.Type) -> bool:
        verified[attempt] += 1
        assert hashed.split(b"$")[3] == b"m=19456,t=2,p=1"
        return verify(hashed, secret, kind)

    monkeypatch.setattr(argon2.low_level, "verify_secret", counting)
    answers = {}
    for attempt, username, password in (
        ("wrong password", "ada", "wrong password"),
        ("unknown name", "nobody", PASSWORD),
        ("unknown address", "nobody@example.org", PASSWORD),
        ("deactivated", "gone", PASSWORD),
        ("a name longer than any", "n" * 100, PASSWORD),
    ):
        answer = await sign_in(api, username, password)
        headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        answers[attempt] = (answer.status_code, answer.content, sorted(headers.items()))

    assert len({str(answer) for answer in answers.values()}) == 1
    assert answers["unknown name"][0] == 401
    assert verified == dict.fromkeys(answers, 1)


async def test_fault_35_reads_are_answered_while_200_logins_fill_the_hashing_pool(
    signed_up: SignUp, api: httpx.AsyncClient, application: FastAPI, projector: Projector, config: Settings
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    await projector.fold()
    may_end = Event()
    hasher: PasswordHasher = application.state.passwords

    async def hold_a_thread() -> None:
        with hasher.place():
            async with hasher.turn() as turn:
                await turn.run(may_end.wait)

    busy = [asyncio.create_task(hold_a_thread()) for _ in range(config.hashing_threads)]
    await asyncio.sleep(0)
    try:
        # Each for another account: a limit on the logins to one account has no say here.
        logins = [asyncio.create_task(sign_in(api, f"nobody{number}")) for number in range(LOGINS)]
        refused = LOGINS - config.hashing_queue
        answered = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while answered < refused:
                assert (await api.get("/posts/")).status_code == 200
                assert (await ada.get(f"/posts/{post}/")).status_code == 200
                answered = sum(login.done() for login in logins)
        assert (await ada.get("/auth/me/")).status_code == 200
        assert answered == refused
    finally:
        may_end.set()
    await asyncio.gather(*busy)
    answers = await asyncio.gather(*logins)
    assert Counter(answer.status_code for answer in answers) == {401: config.hashing_queue, 503: refused}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
    assert (await sign_in(api, "ada")).status_code == 200


@pytest.mark.parametrize(
    ("username", "email", "statuses"),
    [
        ("kevin", "other@example.org", {409}),
        ("KEVIN", "other@example.org", {409}),
        (f"{KELVIN}evin", "other@example.org", {409, 422}),
        ("other", "a@x.example", {409}),
        ("other", "A@X.EXAMPLE", {409}),
    ],
)
async def test_fault_36_a_name_or_address_that_only_looks_different_is_not_free(
    api: httpx.AsyncClient, sql: Connection, username: str, email: str, statuses: set[int]
) -> None:
    first = await api.post("/auth/register/", json=account("Kevin", "A@X.example"))

    second = await api.post("/auth/register/", json=account(username, email))

    assert first.status_code == 201
    assert second.status_code in statuses
    assert len(second.json()["errors"]) == 1
    assert [row["id"] for row in await sql.fetch("SELECT id FROM users")] == [UUID(first.json()["id"])]


def account(username: str, email: str) -> dict[str, str]:
    return {"username": username, "email": email, "password": PASSWORD}
