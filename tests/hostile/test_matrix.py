"""Every route, called by everyone who may: answered as the table says; and whoever is refused has changed nothing."""

from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from app.api.docs import ASSETS
from app.commands.users import RegisteredUser
from app.security.access_tokens import Principal
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.api.test_bad_input import everything
from tests.hostile.routes import CALLERS, ROWS, Row
from tests.support.blog import Blog
from tests.support.people import HASHED, PASSWORD

_SET_PASSWORD: Final = "UPDATE users SET hashed_password = $2 WHERE id = $1"
#: Whose a row is.
OWNED: Final = {
    "users": "id",
    "posts": "author_id",
    "likes": "user_id",
    "subscriptions": "subscriber_id",
    "notifications": "user_id",
    "refresh_tokens": "user_id",
}
#: Who sends one of these is no stranger.
PROVES_TO_BE_OWNER: Final = {"refresh_token", "password"}
#: Answers the same to everyone: where things are, and the pages about the API.
PAGES: Final = {"GET /", "GET /openapi.json", "GET /docs", "GET /docs/oauth2-redirect", "GET /redoc"}
_DEACTIVATE: Final = "UPDATE users SET is_active = false WHERE id = $1"


def cells() -> list[object]:
    """Return a parameter for each route and caller."""
    return [pytest.param(row, caller, id=f"{caller} {row.name}") for row in ROWS for caller in CALLERS]


@dataclass(frozen=True)
class Scene:
    """The owner's things, by the names that the table has for them, and a token of each caller."""

    names: dict[str, str]
    tokens: dict[str, str | None]
    owner: RegisteredUser


@pytest.fixture
async def scene(blog: Blog, application: FastAPI, projector: Projector) -> Scene:
    owner, stranger, author = await blog.user("owner"), await blog.user("stranger"), await blog.user("author")
    await blog.sql.execute(_SET_PASSWORD, owner.id, HASHED)
    post = await blog.post(owner)
    await blog.like(post, owner)
    await blog.subscribe(owner, author)
    news = await blog.post(author, "News for the owner alone")
    await blog.announce()
    await projector.fold()
    names = {
        "post_id": str(post.id),
        "user_id": str(author.id),
        "notification_id": str(await blog.notification_of(owner, news)),
        "slug": "not-found",
        "owner_name": owner.username,
        "password": PASSWORD,
    }
    own, others = (
        application.state.access_tokens.issue(Principal(id=user.id, username=user.username))
        for user in (owner, stranger)
    )
    return Scene(names, {"anonymous": None, "stranger": others, "owner": own, "deactivated": own}, owner)


async def kept(blog: Blog, row: Row) -> dict[str, str]:
    """Return all rows that a refusal must leave as they are: a session that is refused may be ended for good."""
    ends = "refresh_tokens" if row.path == "/auth/refresh/" else ""
    return {table: rows for table, rows in (await everything(blog.sql)).items() if table != ends}


async def call(api: httpx.AsyncClient, scene: Scene, row: Row, caller: str) -> httpx.Response:
    token = scene.tokens[caller]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {name: value.format_map(scene.names) for name, value in row.body.items()}
    return await api.request(row.method, row.path.format_map(scene.names), headers=headers, json=body or None)


@pytest.mark.parametrize(("row", "caller"), cells())
async def test_everyone_is_answered_as_the_table_says_and_who_is_refused_changes_nothing(
    row: Row, caller: str, scene: Scene, blog: Blog, api: httpx.AsyncClient
) -> None:
    if "refresh_token" in row.body:
        login = {"username": scene.owner.username, "password": PASSWORD}
        scene.names.update((await api.post("/auth/login/", json=login)).json())
    if caller == "deactivated":
        await blog.sql.execute(_DEACTIVATE, scene.owner.id)
    refused = row.status(caller) >= 400
    before = await kept(blog, row) if refused else {}

    answer = await call(api, scene, row, caller)

    assert answer.status_code == row.status(caller), answer.text
    if refused:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert await kept(blog, row) == before
    if row.method == "GET" and caller in {"anonymous", "stranger"}:
        assert scene.owner.email not in answer.text


async def things_of(owner: RegisteredUser, sql: Connection) -> dict[str, list[str]]:
    """Return the rows that only the owner may change."""
    rows = "SELECT t::text FROM {} t WHERE {} = $1 ORDER BY 1"
    return {
        table: [row[0] for row in await sql.fetch(rows.format(table, whose), owner.id)]
        for table, whose in OWNED.items()
    }


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in ROWS if not PROVES_TO_BE_OWNER & set(row.body)]
)
async def test_nothing_that_a_stranger_may_do_changes_what_is_the_owners(
    row: Row, scene: Scene, blog: Blog, api: httpx.AsyncClient
) -> None:
    login = {"username": scene.owner.username, "password": PASSWORD}
    assert (await api.post("/auth/login/", json=login)).status_code == 200
    before = await things_of(scene.owner, blog.sql)
    assert all(before.values())

    assert (await call(api, scene, row, "stranger")).status_code == row.stranger

    assert await things_of(scene.owner, blog.sql) == before


@pytest.mark.parametrize("path", ["/auth/me/", "/feed/", "/notifications/?status=all", "/users/subscriptions/"])
async def test_personal_screens_show_a_stranger_nothing_of_the_owner(
    scene: Scene, api: httpx.AsyncClient, path: str
) -> None:
    shown = {}
    for caller in ("owner", "stranger"):
        answer = await api.get(path, headers={"Authorization": f"Bearer {scene.tokens[caller]}"})
        shown[caller] = answer.text

    private = (scene.names["notification_id"], scene.names["user_id"], scene.owner.email, "News for the owner alone")
    assert any(text in shown["owner"] for text in private)
    assert not any(text in shown["stranger"] for text in private)


def described(application: FastAPI) -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, operations in application.openapi()["paths"].items()
        for method in operations
    }


async def test_every_route_has_a_row(application: FastAPI) -> None:
    assert described(application) - {row.name for row in ROWS} == set()


async def test_every_route_that_is_served_is_described_but_pages(application: FastAPI) -> None:
    served = {
        f"{method} {route.path}"
        for route in application.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert served - described(application) == PAGES
    mounted = [route for route in application.routes if not isinstance(route, Route)]
    assert [getattr(route, "path", "") for route in mounted] == [ASSETS]


async def test_34_routes_are_tried_by_4_callers(application: FastAPI) -> None:
    assert (len(described(application)), len(ROWS), len(CALLERS), len(cells())) == (34, 34, 4, 136)
