"""The reading half of the API over HTTP, over rows put straight into the read tables."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.ids import new_id
from projections.engine.checkpoint import Connection, touch
from projections.projector import Projector
from tests.support.people import SignUp
from tests.support.read_rows import ReadRows, minutes

ID = "0199f3a2-6c11-7b52-9d0e-3f1c2a4b5d6e"
PUBLIC_LISTS = ["/posts/", "/posts/?sort=top", f"/posts/?author_id={ID}"]


@pytest.fixture
def rows(sql: Connection) -> ReadRows:
    return ReadRows(sql)


async def ok(client: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"/problems/{slug}"


async def test_links_lead_through_a_list_and_keep_its_parameters(api: httpx.AsyncClient, rows: ReadRows) -> None:
    ada = await rows.profile("ada", posts=5)
    posts = [str(await rows.post(ada, at=minutes(n))) for n in range(5)]
    path: str | None = f"/posts?limit=2&author_id={ada}&sort=new"
    seen: list[str] = []
    while path:
        answer = await ok(api, path, Host="evil.example")
        page = answer.json()
        seen += [item["id"] for item in page["items"]]
        link = answer.links.get("next")
        assert (link is None) == (page["next_cursor"] is None)
        path = link["url"] if link else None
        if path:
            parts = urlsplit(path)
            assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/posts/")
            assert parse_qs(parts.query) == {
                "limit": ["2"],
                "author_id": [str(ada)],
                "sort": ["new"],
                "cursor": [page["next_cursor"]],
            }
    assert seen == posts[::-1]


@pytest.mark.parametrize("path", PUBLIC_LISTS)
async def test_an_empty_blog_has_empty_lists(api: httpx.AsyncClient, path: str) -> None:
    answer = await ok(api, path)
    assert answer.json() == {"items": [], "next_cursor": None, "total": 0}
    assert "Link" not in answer.headers
    assert answer.headers["Vary"] == "Authorization, Accept-Encoding"


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        (f"/posts/{ID}/", "post-not-found"),
        (f"/posts/{ID}/likes/", "post-not-found"),
        (f"/users/{ID}/", "user-not-found"),
        (f"/users/{ID}/posts/", "user-not-found"),
        (f"/users/{ID}/posts/?sort=top", "user-not-found"),
        (f"/users/{ID}/subscribers/", "user-not-found"),
    ],
)
async def test_what_is_not_there_is_not_found(api: httpx.AsyncClient, path: str, slug: str) -> None:
    assert_problem(await api.get(path), 404, slug)


@pytest.mark.parametrize("path", ["/feed/", "/notifications/", "/users/subscriptions/"])
async def test_ones_own_lists_need_signing_in(api: httpx.AsyncClient, path: str) -> None:
    assert_problem(await api.get(path), 401, "unauthenticated")


async def test_a_post_that_is_known_already_is_not_sent_again(api: httpx.AsyncClient, rows: ReadRows) -> None:
    ada = await rows.profile("ada")
    path = f"/posts/{await rows.post(ada)}/"
    etag = (await ok(api, path)).headers["ETag"]
    assert etag.startswith('"3.')
    for known in (etag, f"W/{etag}", f'"other", {etag}', f'W/"a,b" ,, {etag} ', "*"):
        answer = await api.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag), known
        assert answer.headers["Vary"] == "Authorization, Accept-Encoding"
        assert "no-cache" in answer.headers["Cache-Control"]
    for unknown in ('"other"', etag.strip('"'), f"{etag} and more", '"3.', ""):
        assert (await ok(api, path, **{"If-None-Match": unknown})).headers["ETag"] == etag, unknown
    await rows.sql.execute("UPDATE read_post SET like_count = like_count + 1")
    await touch(rows.sql, "posts")
    assert (await ok(api, path, **{"If-None-Match": etag})).headers["ETag"] != etag


async def test_public_screens_show_what_is_there(api: httpx.AsyncClient, rows: ReadRows) -> None:
    ada, bob = await rows.profile("ada", posts=1, subscribers=1), await rows.profile("bob", subscriptions=1)
    post = await rows.post(ada, likes=1)
    await rows.like(post, bob)
    await rows.subscription(bob, ada)
    who = {"id": str(bob), "username": "bob"}
    likes = (await ok(api, f"/posts/{post}/likes/")).json()
    assert likes["items"] == [{"user": who, "liked_at": "2026-03-01T12:00:00Z"}]
    subscribers = (await ok(api, f"/users/{ada}/subscribers/")).json()
    assert subscribers["items"] == [{"user": who, "since": "2026-03-01T12:00:00Z"}]
    assert (await ok(api, f"/users/{ada}/")).json()["username"] == "ada"
    for sort in ("new", "top"):
        listed = (await ok(api, f"/users/{ada}/posts/?sort={sort}")).json()
        assert [item["id"] for item in listed["items"]] == [str(post)]
        assert "liked_by_me" not in listed["items"][0]


async def test_whoever_is_signed_in_reads_lists_of_their_own(
    signed_up: SignUp, rows: ReadRows, projector: Projector
) -> None:
    bob = await signed_up("bob")
    await projector.fold()
    ada = await rows.profile("ada", posts=1)
    post = await rows.post(ada, likes=1)
    await rows.like(post, bob.id)
    await rows.subscription(bob.id, ada)
    notification = await rows.notification(bob.id)
    await rows.notification(bob.id, is_read=True)
    await rows.sql.execute("UPDATE read_profile SET subscription_count = 1 WHERE user_id = $1", bob.id)

    async def read(path: str) -> dict[str, Any]:
        body: dict[str, Any] = (await ok(bob, path)).json()
        return body

    assert [(item["id"], item["liked_by_me"]) for item in (await read("/feed"))["items"]] == [(str(post), True)]
    assert (await read(f"/posts/{post}/"))["liked_by_me"] is True
    following = await read("/users/subscriptions/")
    assert ([item["user"]["id"] for item in following["items"]], following["total"]) == ([str(ada)], 1)
    unread = await read("/notifications/")
    assert ([item["id"] for item in unread["items"]], unread["total"], unread["unread_count"]) == (
        [str(notification)],
        1,
        1,
    )
    everything = await read("/notifications/?status=all")
    assert (len(everything["items"]), everything["total"], everything["unread_count"]) == (2, 2, 1)
    assert (await bob.get("/notifications/?status=read")).status_code == 422


async def test_statistics_are_answered_for_the_period_asked_for(api: httpx.AsyncClient, rows: ReadRows) -> None:
    ada = await rows.profile("ada")
    post = await rows.post(ada, likes=2)
    await rows.given_likes([(post, ada, minutes(0)), (post, ada, minutes(11 * 60 + 45))])
    asked = "from=2026-03-01&to=2026-03-02&tz=Asia/Kathmandu&granularity=day"
    answer = (await ok(api, f"/analytics/likes/?{asked}&post_id={post}")).json()
    assert answer == {
        "from": "2026-03-01",
        "to": "2026-03-02",
        "tz": "Asia/Kathmandu",
        "granularity": "day",
        "total": 2,
        "series": [{"date": "2026-03-01", "likes": 1}, {"date": "2026-03-02", "likes": 1}],
        "top_posts": [{"id": str(post), "title": "A title", "author": {"id": str(ada), "username": "ada"}, "likes": 2}],
    }
    default = (await ok(api, f"/analytics/likes/?author_id={new_id()}")).json()
    assert (default["tz"], default["granularity"], default["total"], len(default["series"])) == ("UTC", "day", 0, 30)
