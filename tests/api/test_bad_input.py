"""Bad input on every endpoint: a 4xx problem that the description names, and nothing has changed."""

from collections.abc import Sequence
from operator import attrgetter
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.bad_requests import BadRequest, Endpoint, bad_requests
from tests.support.people import PASSWORD, SignUp

POST = {"title": "On engines", "content": "They weave."}
PERIOD = {
    "from": ("yesterday", "2026-02-30", "2026-13-01", "20260101", "\x00", "2026-01-01T00:00:00", "1_0", "-1"),
    "to": ("tomorrow", "2026-02-30", "9" * 5_000, "from=2026-03-02&to=2026-03-01", "from=2000-01-01&to=2026-01-01"),
    "granularity": ("hour", "DAY", "", "\x00"),
    "tz": ("Mars/Olympus", "../../etc/passwd", "/etc/localtime", "\x00", "x" * 5_000, "europe berlin"),
    "author_id": ("1", "\x00", "a" * 5_000),
    "post_id": ("1", "\x00", "a" * 5_000),
}
ENDPOINTS = [
    Endpoint(
        method="POST",
        path="/auth/register/",
        body={"username": "eve", "email": "eve@example.org", "password": PASSWORD},
    ),
    Endpoint(method="POST", path="/auth/login/", body={"username": "eve", "password": PASSWORD}),
    Endpoint(method="POST", path="/auth/refresh/", body={"refresh_token": "unknown"}),
    Endpoint(method="POST", path="/auth/logout/", body={"refresh_token": "unknown"}),
    Endpoint(method="POST", path="/auth/logout-all/", signed_in=True),
    Endpoint(method="GET", path="/auth/me/", reads=True, signed_in=True),
    Endpoint(method="POST", path="/posts/", body=POST, signed_in=True),
    Endpoint(method="GET", path="/posts/", lists=True, query={"author_id": ("1", "\x00"), "sort": ("old", "", "\x00")}),
    Endpoint(method="GET", path="/posts/top/", reads=True),
    Endpoint(method="GET", path="/posts/{post_id}/", reads=True),
    Endpoint(method="PUT", path="/posts/{post_id}/", body=POST, signed_in=True),
    Endpoint(method="PATCH", path="/posts/{post_id}/", body=POST, signed_in=True),
    Endpoint(method="DELETE", path="/posts/{post_id}/", signed_in=True),
    Endpoint(method="POST", path="/posts/{post_id}/like/", signed_in=True),
    Endpoint(method="PUT", path="/posts/{post_id}/like/", signed_in=True),
    Endpoint(method="DELETE", path="/posts/{post_id}/like/", signed_in=True),
    Endpoint(method="GET", path="/posts/{post_id}/likes/", lists=True),
    Endpoint(method="POST", path="/users/{user_id}/subscribe/", signed_in=True),
    Endpoint(method="PUT", path="/users/{user_id}/subscribe/", signed_in=True),
    Endpoint(method="DELETE", path="/users/{user_id}/subscribe/", signed_in=True),
    Endpoint(method="GET", path="/users/subscriptions/", lists=True, signed_in=True),
    Endpoint(method="GET", path="/users/{user_id}/", reads=True),
    Endpoint(method="GET", path="/users/{user_id}/subscribers/", lists=True),
    Endpoint(method="GET", path="/users/{user_id}/posts/", lists=True),
    Endpoint(method="GET", path="/feed/", lists=True, signed_in=True),
    Endpoint(method="GET", path="/notifications/", lists=True, signed_in=True, query={"status": ("old", "", "\x00")}),
    Endpoint(method="POST", path="/notifications/{notification_id}/read/", signed_in=True),
    Endpoint(method="POST", path="/notifications/read-all/", signed_in=True),
    Endpoint(method="GET", path="/analytics/likes/", reads=True, query=PERIOD),
]

TABLES = """
SELECT relname
FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('aerich', 'checkpoint')
"""


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=attrgetter("name"))
async def test_bad_input_is_refused_as_described_and_changes_nothing(
    endpoint: Endpoint, application: FastAPI, signed_up: SignUp, projector: Projector, sql: Connection
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    post_id = await ada.publish()
    await bob.put(f"/posts/{post_id}/like/")
    await projector.fold()
    ids = {"post_id": str(post_id), "user_id": str(bob.id), "notification_id": str(uuid4())}
    described = application.openapi()["paths"][endpoint.path][endpoint.method.lower()]["responses"]
    before = await everything(sql)

    faults = [
        fault
        for request in bad_requests(endpoint, ids)
        for fault in judge(request, await send(ada, request), described)
    ]

    assert faults == []
    assert await everything(sql) == before


async def test_every_endpoint_is_tried(application: FastAPI) -> None:
    described = {
        f"{method.upper()} {path}"
        for path, operations in application.openapi()["paths"].items()
        for method, operation in operations.items()
        if not {"operations", "problems"} & set(operation["tags"])
    }

    assert {endpoint.name for endpoint in ENDPOINTS} == described


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "ada"},
        {"password": PASSWORD},
        {"username": "ada", "password": PASSWORD, "email": "ada@example.org"},
        {"username": "ada", "password": PASSWORD, "grant_type": "client_credentials"},
        {"username": "ada\x00", "password": PASSWORD},
        {"username": "ada", "password": PASSWORD, "is_admin": "true"},
        {"username": "ada", "password": "x" * 129},
    ],
    ids=" ".join,
)
async def test_bad_login_form_is_refused(api: httpx.AsyncClient, fields: dict[str, str]) -> None:
    answer = await api.post("/auth/login/", data=fields)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def everything(sql: Connection) -> dict[str, str]:
    """Return all rows of all tables, as text."""
    return {
        row["relname"]: await sql.fetchval(f"SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM {row['relname']} t")
        for row in await sql.fetch(TABLES)
    }


async def send(client: httpx.AsyncClient, bad: BadRequest) -> httpx.Response:
    headers = {name.encode(): value.encode("latin-1") for name, value in bad.headers.items()}
    request = client.build_request(bad.method, bad.path, params=bad.query or None, headers=headers, content=bad.content)
    if request.headers.get("authorization") == "":
        del request.headers["authorization"]
    return await client.send(request)


def judge(request: BadRequest, answer: httpx.Response, described: Sequence[str]) -> list[str]:
    faults = []
    if answer.status_code not in request.statuses:
        faults.append(f"{request.why}: {answer.status_code}, not {set(request.statuses)}: {answer.text[:200]}")
    if answer.headers.get("content-type") != "application/problem+json":
        faults.append(f"{request.why}: no problem but {answer.headers.get('content-type')}")
    if answer.status_code != 405 and str(answer.status_code) not in described:
        faults.append(f"{request.why}: {answer.status_code} is not described")
    if len(answer.content) > 5_000:
        faults.append(f"{request.why}: an answer of {len(answer.content)} bytes")
    return faults
