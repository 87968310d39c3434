"""Requests that want more than is theirs, or that no endpoint can take: refused with a problem, and nothing changes."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.api.test_bad_input import everything
from tests.support.bad_requests import DEEP, HUGE, JSON
from tests.support.blog import Blog
from tests.support.people import PASSWORD, SignUp

POST = {"title": "A title", "content": "Some content."}
ACCOUNT = {"username": "eve", "email": "eve@example.org", "password": PASSWORD}

#: A body that can't be read as JSON, or holds what can't be stored.
UNREADABLE = {
    "NUL": '{"title": "a\\u0000b", "content": "c"}',
    "a raw NUL": '{"title": "a\x00b", "content": "c"}',
    "a lone surrogate": '{"title": "\\ud800", "content": "c"}',
    "NaN": '{"title": NaN, "content": "c"}',
    "infinity": '{"title": 1e999, "content": "c"}',
    "100,000 levels": DEEP,
    "100,000 levels in a field": f'{{"title": {DEEP}',
    "5,000 digits": f'{{"title": {HUGE}, "content": "c"}}',
}


def is_problem(answer: httpx.Response) -> bool:
    return answer.headers["Content-Type"] == "application/problem+json"


async def test_fault_27_a_stranger_changes_nothing_that_is_anothers(
    signed_up: SignUp, blog: Blog, projector: Projector
) -> None:
    ada, eve, author = await signed_up("ada"), await signed_up("eve"), await signed_up("author")
    assert (await ada.put(f"/users/{author.id}/subscribe/")).status_code == 200
    await author.publish()
    await blog.announce()
    post = await ada.publish()
    await projector.fold()
    notification = (await ada.get("/notifications/")).json()["items"][0]["id"]
    before = await everything(blog.sql)

    answers = [
        await eve.put(f"/posts/{post}/", json=POST),
        await eve.patch(f"/posts/{post}/", json=POST),
        await eve.delete(f"/posts/{post}/"),
        await eve.post(f"/notifications/{notification}/read/"),
    ]
    assert (await eve.post("/notifications/read-all/")).json() == {"read": 0}

    assert [answer.status_code for answer in answers] == [403, 403, 403, 404]
    assert all(map(is_problem, answers))
    assert await everything(blog.sql) == before
    assert (await eve.get("/notifications/?status=all")).json()["items"] == []


@pytest.mark.parametrize("field", ["id", "author_id", "like_count", "version", "created_at", "is_active", "is_admin"])
async def test_fault_28_a_field_that_nobody_may_set_is_refused_and_named(
    signed_up: SignUp, sql: Connection, field: str
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    before = await everything(sql)

    answers = [
        await ada.post("/posts/", json={**POST, field: str(uuid4())}),
        await ada.put(f"/posts/{post}/", json={**POST, field: 1}),
        await ada.patch(f"/posts/{post}/", json={**POST, field: True}),
        await ada.post("/auth/register/", json={**ACCOUNT, field: True}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 4
    assert all([fault["field"] for fault in answer.json()["errors"]] == [field] for answer in answers)
    assert await everything(sql) == before


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=list(UNREADABLE))
async def test_fault_29_what_can_not_be_read_or_stored_is_refused(
    signed_up: SignUp, sql: Connection, body: str
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    before = await everything(sql)
    requests = (("POST", "/posts/"), ("PUT", f"/posts/{post}/"), ("PATCH", f"/posts/{post}/"), ("POST", "/auth/login/"))

    answers = [await ada.request(method, path, content=body.encode(), headers=JSON) for method, path in requests]

    assert {answer.status_code for answer in answers} <= {400, 422}
    assert all(map(is_problem, answers))
    assert await everything(sql) == before


@pytest.mark.parametrize("number", [str(2**63), "-1", "1_000", HUGE, "0x10", "1e3"])
async def test_fault_30_a_number_that_is_none_of_ours_is_refused(signed_up: SignUp, number: str) -> None:
    ada = await signed_up("ada")
    paths = (f"/posts/{number}/", f"/users/{number}/posts/", f"/posts/?limit={number}", f"/posts/?author_id={number}")

    answers = [await ada.get(path) for path in paths] + [await ada.put(f"/posts/{number}/like/")]

    assert [answer.status_code for answer in answers] == [422] * 5
    assert all(map(is_problem, answers))


async def test_fault_30_a_forged_cursor_is_refused(signed_up: SignUp, projector: Projector) -> None:
    ada = await signed_up("ada")
    for number in range(2):
        await ada.publish(f"Title {number}")
    await projector.fold()
    cursor = (await ada.get("/posts/?limit=1")).json()["next_cursor"]
    forged = [cursor[:-1], cursor + "A", "A" * 40, "____" + cursor[4:], "\x00", "x" * 200]

    refused = [await ada.get("/posts/", params={"cursor": text}) for text in forged]
    refused += [await ada.get(path, params={"cursor": cursor}) for path in ("/feed/", "/notifications/")]

    assert [answer.status_code for answer in refused] == [422] * len(refused)
    assert {answer.json()["type"] for answer in refused} == {"/problems/invalid-cursor"}
    assert (await ada.get("/posts/", params={"cursor": cursor})).status_code == 200


@pytest.mark.parametrize("path", ["/posts/", "/posts/?sort=top", "/feed/", "/notifications/?status=all"])
async def test_fault_30_a_cursor_changed_anywhere_is_refused_or_another_place_of_the_list(
    signed_up: SignUp, blog: Blog, projector: Projector, path: str
) -> None:
    ada, eve, author = await signed_up("ada"), await signed_up("eve"), await signed_up("author")
    for reader in (ada, eve):
        assert (await reader.put(f"/users/{author.id}/subscribe/")).status_code == 200
    for number in range(2):
        await author.publish(f"Title {number}")
        await blog.announce()
    await projector.fold()
    cursor = (await ada.get(path, params={"limit": 1})).json()["next_cursor"]

    changed: dict[int, list[int]] = {place: [] for place in range(len(cursor))}
    for place, statuses in changed.items():
        for letter in {"A", "+", "é", ""} - {cursor[place]}:
            text = cursor[:place] + letter + cursor[place + 1 :]
            answer = await ada.get(path, params={"cursor": text})
            statuses.append(answer.status_code)
            assert answer.is_success or answer.json()["type"] == "/problems/invalid-cursor"

    assert {status for statuses in changed.values() for status in statuses} == {200, 422}
    # These letters say which list it is.
    assert {status for place in range(8) for status in changed[place]} == {422}
    own = not path.startswith("/posts/")
    assert (await eve.get(path, params={"cursor": cursor})).status_code == (422 if own else 200)


async def test_fault_31_of_a_body_that_says_no_length_no_more_than_the_limit_is_read(
    api: httpx.AsyncClient, config: Any
) -> None:
    sent: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        while sum(sent) < 10 * config.body_limit_bytes:
            sent.append(65_536)
            yield b" " * 65_536

    answer = await api.post("/auth/register/", content=pieces(), headers=JSON)

    assert answer.status_code == 413
    assert is_problem(answer)
    assert sum(sent) <= config.body_limit_bytes + 65_536
