"""Idempotency-Key over HTTP: what it may be, what it does to a POST, and where it is ignored."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import time_machine
from fastapi import FastAPI

from app.commands.activation import DeactivateUser, deactivate_user
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import PASSWORD, Person, SignUp
from tests.support.waiting import until

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
POST = {"title": "On engines", "content": "They weave."}
EVE = {"username": "eve", "email": "eve@example.org", "password": PASSWORD}

#: Beside POST /auth/register/.
KEYED: dict[str, dict[str, str] | None] = {
    "/posts/": POST,
    "/posts/{post_id}/like/": None,
    "/users/{user_id}/subscribe/": None,
    "/notifications/{notification_id}/read/": None,
    "/notifications/read-all/": None,
}
INVALID = [b"", b" ", b"a b", b"\xe9", b"a\x7f", b"x" * 256, b'"', b'"a', b'""', b'"a"b"', b'"a";b', b'"' + b"x" * 256]

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@dataclass(frozen=True)
class Scene:
    """Bob follows Ada, who has published a post; he has been notified."""

    bob: Person
    ids: dict[str, str]

    async def send(self, path: str, headers: Any = KEY) -> httpx.Response:
        return await self.bob.post(path.format(**self.ids), json=KEYED[path], headers=headers)


@pytest.fixture
async def scene(signed_up: SignUp, projector: Projector, sql: Connection) -> Scene:
    ada, bob, carol = [await signed_up(name) for name in ("ada", "bob", "carol")]
    await bob.put(f"/users/{ada.id}/subscribe/")
    post_id = await ada.publish()
    await projector.announce()
    notification_id = await sql.fetchval("SELECT id FROM notifications")
    return Scene(bob, {"post_id": str(post_id), "user_id": str(carol.id), "notification_id": str(notification_id)})


async def number_of(sql: Connection, table: str) -> int:
    return int(await sql.fetchval(f"SELECT count(*) FROM {table}"))


def told(answer: httpx.Response) -> tuple[object, ...]:
    """Return what is to be the same in a second answer."""
    return (answer.status_code, answer.content, answer.headers.get("Location"), answer.headers["Consistency-Token"])


@pytest.mark.parametrize("path", KEYED)
async def test_a_post_sent_again_is_answered_alike_and_done_once(scene: Scene, sql: Connection, path: str) -> None:
    first = await scene.send(path)
    events = await number_of(sql, "event")
    again = await scene.send(path)
    assert first.is_success, first.text
    assert told(again) == told(first)
    assert await number_of(sql, "event") == events


@pytest.mark.parametrize("path", KEYED)
@pytest.mark.parametrize("why", ["deactivated", "signed out everywhere"])
async def test_who_may_not_write_any_more_is_answered_nothing_again(
    scene: Scene, application: FastAPI, sql: Connection, path: str, why: str
) -> None:
    first = await scene.send(path)
    if why == "deactivated":
        await deactivate_user(application.state.store, DeactivateUser(login="bob"))
    else:
        assert (await scene.bob.post("/auth/logout-all/")).status_code == 204
    events = await number_of(sql, "event")
    again = await scene.send(path)
    other = await scene.bob.post("/posts/", json=POST | {"title": "On looms"}, headers=KEY)
    assert first.is_success, first.text
    for answer in (again, other):
        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/access-ended"
        assert "Consistency-Token" not in answer.headers
    assert await number_of(sql, "event") == events


async def test_who_signed_in_anew_is_answered_as_the_first_time(scene: Scene, api: httpx.AsyncClient) -> None:
    first = await scene.send("/posts/")
    await scene.bob.post("/auth/logout-all/")
    signed_in = await api.post("/auth/login/", json={"username": "bob", "password": PASSWORD})
    again = await scene.send("/posts/", KEY | {"Authorization": f"Bearer {signed_in.json()['access_token']}"})
    assert told(again) == told(first)


async def test_registering_again_is_answered_alike_and_done_once(api: httpx.AsyncClient, sql: Connection) -> None:
    first, again = [await api.post("/auth/register/", json=EVE, headers=KEY) for _ in range(2)]
    other = await api.post("/auth/register/", json=EVE | {"username": "mallory"}, headers=KEY)
    unkeyed = await api.post("/auth/register/", json=EVE)
    assert first.status_code == 201
    assert told(again) == told(first)
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert unkeyed.status_code == 409
    assert await number_of(sql, "users") == 1
    signed_in = await api.post("/auth/login/", json={"username": "eve", "password": PASSWORD})
    assert signed_in.status_code == 200


async def test_registering_again_with_another_password_is_refused_and_the_first_holds(
    api: httpx.AsyncClient, sql: Connection
) -> None:
    first = await api.post("/auth/register/", json=EVE, headers=KEY)
    other = await api.post("/auth/register/", json=EVE | {"password": f"{PASSWORD} "}, headers=KEY)
    again = await api.post("/auth/register/", json=EVE, headers=KEY)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert "Consistency-Token" not in other.headers
    assert first.json()["id"] not in other.text
    assert told(again) == told(first)
    assert await number_of(sql, "event") == 1
    for password, status in ((PASSWORD, 200), (f"{PASSWORD} ", 401)):
        signed_in = await api.post("/auth/login/", json={"username": "eve", "password": password})
        assert signed_in.status_code == status


async def test_a_request_is_the_same_however_it_is_written(scene: Scene) -> None:
    first = await scene.send("/posts/")
    quoted = {"idempotency-key": f'"{KEY["Idempotency-Key"]}"', "Content-Type": "application/json"}
    again = await scene.bob.post(
        "/posts", content=b'{ "content": "They weave.", "title": " On engines" }', headers=quoted
    )
    assert told(again) == told(first)


async def test_a_key_counts_with_whichever_access_token_it_is_sent(scene: Scene, application: FastAPI) -> None:
    tokens = application.state.access_tokens
    first = await scene.send("/posts/")
    bob = tokens.verify(scene.bob.headers["Authorization"].removeprefix("Bearer "))
    with time_machine.travel(time.time() - 60, tick=False):
        another = tokens.issue(bob)
    again = await scene.send("/posts/", KEY | {"Authorization": f"Bearer {another}"})
    assert told(again) == told(first)


async def test_another_body_under_the_same_key_is_refused_and_changes_nothing(scene: Scene, sql: Connection) -> None:
    await scene.send("/posts/")
    events = await number_of(sql, "event")
    other = await scene.bob.post("/posts/", json=POST | {"title": "On looms"}, headers=KEY)
    elsewhere = await scene.send("/posts/{post_id}/like/")
    for answer in (other, elsewhere):
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/idempotency-key-reused"
    assert await number_of(sql, "event") == events


async def test_while_the_first_runs_another_is_409(scene: Scene, sql: Connection, projector: Projector) -> None:
    async def blocked() -> bool:
        return bool(await projector.pool.fetchval(_BLOCKED))

    path = "/posts/{post_id}/like/"
    async with sql.transaction():
        await sql.execute("SELECT FROM posts FOR UPDATE")
        first = asyncio.create_task(scene.send(path))
        await until(blocked)
        meanwhile = await scene.send(path)
    assert meanwhile.status_code == 409
    assert meanwhile.json()["type"] == "/problems/idempotency-key-in-use"
    liked = await first
    assert told(await scene.send(path)) == told(liked)


async def test_a_refused_request_leaves_its_key_unused(scene: Scene) -> None:
    refused = [
        await scene.bob.post("/posts/", json={"title": ""}, headers=KEY),
        await scene.bob.post(f"/posts/{scene.ids['user_id']}/like/", headers=KEY),
        await scene.bob.post(f"/users/{scene.bob.id}/subscribe/", headers=KEY),
    ]
    assert [answer.status_code for answer in refused] == [422, 404, 422]
    assert (await scene.send("/posts/")).status_code == 201


@pytest.mark.parametrize("path", KEYED)
@pytest.mark.parametrize("key", INVALID)
async def test_what_is_no_key_is_refused_and_changes_nothing(
    scene: Scene, sql: Connection, path: str, key: bytes
) -> None:
    events = await number_of(sql, "event")
    answer = await scene.send(path, [(b"Idempotency-Key", key)])
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid-idempotency-key"
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await number_of(sql, "event") == events


async def test_two_keys_in_one_request_are_refused(scene: Scene) -> None:
    answer = await scene.send("/posts/", [("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert answer.status_code == 400


@pytest.mark.parametrize("key", ["a", "x" * 255, "!#'(),~", '"a"', '"a\\"\\\\"', f'"{"x" * 255}"'])
async def test_every_visible_character_may_be_in_a_key(scene: Scene, key: str) -> None:
    first, again = [await scene.send("/posts/", {"Idempotency-Key": key}) for _ in range(2)]
    assert first.status_code == 201
    assert told(again) == told(first)


@pytest.mark.parametrize(("bare", "quoted"), [('a"b\\c', r'"a\"b\\c"'), ("x" + '"' * 254, '"x' + r"\"" * 254 + '"')])
async def test_a_key_is_the_same_bare_and_quoted(scene: Scene, bare: str, quoted: str) -> None:
    first, again = [await scene.send("/posts/", {"Idempotency-Key": key}) for key in (bare, quoted)]
    assert first.status_code == 201
    assert told(again) == told(first)


async def test_the_setting_says_how_long_a_key_counts(scene: Scene, sql: Connection, application: FastAPI) -> None:
    await scene.send("/posts/")
    left = await sql.fetchval("SELECT extract(epoch FROM expires_at - now()) / 3600 FROM idempotency_key")
    hours = application.state.settings.idempotency_hours
    assert hours - 0.1 < left <= hours


async def test_put_and_delete_ignore_a_key(scene: Scene, sql: Connection) -> None:
    path = f"/posts/{scene.ids['post_id']}/like/"
    answers = [
        await scene.bob.request(method, path, headers={"Idempotency-Key": key})
        for method in ("PUT", "DELETE")
        for key in ("a", "a", '"')
    ]
    assert [answer.json()["liked"] for answer in answers] == [True] * 3 + [False] * 3
    assert await number_of(sql, "idempotency_key") == 0


async def test_signing_in_ignores_a_key(api: httpx.AsyncClient, scene: Scene, sql: Connection) -> None:
    credentials = {"username": scene.bob.username, "password": PASSWORD}
    answers = [await api.post("/auth/login/", json=credentials, headers=KEY) for _ in range(2)]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 2
    assert await number_of(sql, "idempotency_key") == 0


def test_every_operation_that_takes_a_key_says_so_and_what_may_come_of_it(application: FastAPI) -> None:
    taking = {}
    for path, operations in application.openapi()["paths"].items():
        for method, operation in operations.items():
            if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ())):
                taking[f"{method} {path}"] = operation["responses"]
    assert taking.keys() == {f"post {path}" for path in (*KEYED, "/auth/register/")}
    for responses in taking.values():
        for status, slug in (("400", "invalid-"), ("409", "idempotency-key-in-use"), ("422", "idempotency-key-reused")):
            examples = responses[status]["content"]["application/problem+json"]["examples"]
            assert any(name.startswith(slug) for name in examples)
    register = taking["post /auth/register/"]["409"]["content"]["application/problem+json"]["examples"]
    assert {"username-taken", "email-taken", "idempotency-key-in-use"} <= register.keys()
