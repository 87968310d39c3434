"""The fast lane: it answers as FastAPI does, and nothing that it says is older than the question."""

import asyncio
import gzip
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from app.main import Api
from projections.engine.checkpoint import Connection, touch
from projections.projector import Projector
from tests.support.people import Person, SignUp
from tests.support.read_rows import ReadRows, minutes

SCREENS = [
    "/posts/",
    "/posts",
    "/posts/?limit=2",
    "/posts/?sort=top&limit=3",
    "/posts/top/",
    "/posts/{post}/",
    "/posts/{post}",
    "/feed/?limit=1",
    "/notifications/?status=all&limit=2",
    "/notifications/",
]
#: Sent with a request, it makes FastAPI answer.
TO_FASTAPI = {"Range": "bytes=0-"}


@dataclass(frozen=True)
class Blog:
    """A blog that someone follows and likes, all folded."""

    reader: Person
    post: str


@pytest.fixture
async def blog(signed_up: SignUp, projector: Projector, sql: Connection) -> Blog:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    await bob.put(f"/users/{ada.id}/subscribe/")
    posts = [await ada.publish(f"Title {number}", "Long enough to be compressed. " * 40) for number in range(4)]
    await bob.put(f"/posts/{posts[1]}/like/")
    await projector.announce()
    await projector.fold()
    await ReadRows(sql).notification(bob.id, at=minutes(1))
    await touch(sql, "notifications")
    return Blog(bob, str(posts[1]))


@pytest.fixture
def answered(application: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the lane has answered, for each request."""
    assert isinstance(application, Api)
    lane = application.lane
    assert lane is not None
    seen: list[bool] = []
    answer = type(lane).answer

    async def noting(*arguments: object) -> bool:
        seen.append(await answer(*arguments))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(type(lane), "answer", noting)
    return seen


def shown(answer: httpx.Response) -> tuple[object, ...]:
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, answer.content, headers


@pytest.mark.parametrize("encoding", ["identity", "gzip, br"])
@pytest.mark.parametrize("path", SCREENS)
async def test_the_lane_answers_as_fastapi_does(blog: Blog, path: str, encoding: str, answered: list[bool]) -> None:
    path = path.format(post=blog.post)
    for _ in range(2):  # as it is fetched, and as it is kept
        lane = await blog.reader.get(path, headers={"Accept-Encoding": encoding})
        fastapi = await blog.reader.get(path, headers={"Accept-Encoding": encoding, **TO_FASTAPI})
        assert shown(lane) == shown(fastapi)
        assert lane.status_code == 200
        known = {"Accept-Encoding": encoding, "If-None-Match": lane.headers["ETag"]}
        lane, fastapi = [await blog.reader.get(path, headers=known | more) for more in ({}, TO_FASTAPI)]
        assert shown(lane) == shown(fastapi)
        assert lane.status_code == 304
    assert answered == [True, False] * 4


@pytest.mark.parametrize(
    "path",
    [
        "/posts/?limit=0",
        "/posts/?limit=",
        "/posts/?limit=1&limit=1",
        "/posts/?sort=old",
        "/posts/?cursor=forged",
        "/posts/?author_id=nobody",
        "/posts/00000000-0000-7000-8000-000000000000/",
        "/posts/00000000-0000-7000-8000-000000000000",
        "/feed/?cursor=forged",
        "/notifications/?status=old",
        "/nothing/",
    ],
)
async def test_the_lane_leaves_to_fastapi_what_is_not_to_be_found(blog: Blog, path: str, answered: list[bool]) -> None:
    answer = await blog.reader.get(path)
    assert 400 <= answer.status_code < 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not any(answered)


async def test_the_lane_takes_no_token_that_fastapi_refuses(api: httpx.AsyncClient, blog: Blog) -> None:
    sent = blog.reader.headers["Authorization"]
    for wrong in (sent + "x", sent.replace("Bearer", "Basic"), "Bearer", ""):
        assert (await api.get("/feed/", headers={"Authorization": wrong})).status_code == 401
    assert (await api.get("/feed/")).status_code == 401


async def test_a_compressed_answer_is_the_plain_one_compressed_under_a_tag_of_its_own(blog: Blog) -> None:
    plain = await blog.reader.get("/posts/", headers={"Accept-Encoding": "gzip;q=0"})
    async with blog.reader.stream("GET", "/posts/", headers={"Accept-Encoding": "gzip"}) as zipped:
        raw = b"".join([part async for part in zipped.aiter_raw()])
    assert gzip.decompress(raw) == plain.content
    assert (zipped.headers["Content-Encoding"], zipped.headers["Content-Length"]) == ("gzip", str(len(raw)))
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert zipped.headers["Vary"] == plain.headers["Vary"] == "Authorization, Accept-Encoding"


async def test_what_was_read_of_one_viewer_is_never_shown_to_another(api: httpx.AsyncClient, blog: Blog) -> None:
    path = f"/posts/{blog.post}/"
    assert (await blog.reader.get(path)).json()["liked_by_me"] is True
    assert "liked_by_me" not in (await api.get(path)).json()
    assert (await blog.reader.get("/notifications/")).json()["total"] > 0


async def test_an_answer_that_was_kept_is_not_given_once_it_was_mended(
    api: httpx.AsyncClient, blog: Blog, sql: Connection
) -> None:
    path = f"/posts/{blog.post}/"
    assert (await api.get(path)).json()["like_count"] == 1
    await sql.execute("UPDATE read_post SET like_count = 7")
    await touch(sql, "posts")
    assert (await api.get(path)).json()["like_count"] == 7


async def test_no_answer_is_older_than_its_request(
    api: httpx.AsyncClient, blog: Blog, signed_up: SignUp, projector: Projector
) -> None:
    """Readers without pause, while likes are given and folded one by one: each knows what was there when it asked."""
    fans = [await signed_up(f"fan{number}") for number in range(25)]
    folded, done = 1, False
    paths = [f"/posts/{blog.post}/", "/posts/", "/posts/?sort=top"]
    asked = 0

    async def read(client: httpx.AsyncClient, path: str) -> None:
        nonlocal asked
        while not done:
            least = folded
            answer = (await client.get(path)).json()
            cards = [answer] if "id" in answer else answer["items"]
            [seen] = [card["like_count"] for card in cards if card["id"] == blog.post]
            assert seen >= least
            asked += 1

    async def write() -> None:
        nonlocal folded, done
        try:
            for fan in fans:
                await fan.put(f"/posts/{blog.post}/like/")
                await projector.fold()
                folded += 1
                await asyncio.sleep(0)
        finally:
            done = True

    readers = [read(client, path) for path in paths for client in (api, api, blog.reader)]
    await asyncio.gather(write(), *readers)
    assert folded == 26
    assert asked > len(fans)


@pytest.mark.usefixtures("blog")
async def test_readers_at_the_same_time_share_their_statements(
    api: httpx.AsyncClient, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred at once take a glance or two, and one fetch."""
    reader = application.state.reader
    statements: list[str] = []
    fetch = type(reader).fetch

    async def noting(self: object, sql: str, *values: object) -> object:
        statements.append(sql)
        return await fetch(self, sql, *values)

    monkeypatch.setattr(type(reader), "fetch", noting)
    answers = await asyncio.gather(*(api.get("/posts/?limit=3") for _ in range(100)))
    assert len({answer.content for answer in answers}) == 1
    assert sum("read_post p" in statement for statement in statements) == 1
    assert len(statements) <= 10


@pytest.mark.parametrize("path", ["/posts/{post}/like/", "/posts/{post}/like", "/users/{author}/subscribe/"])
async def test_the_lane_turns_a_switch_as_fastapi_does(
    blog: Blog, api: httpx.AsyncClient, path: str, answered: list[bool]
) -> None:
    author = (await api.get(f"/posts/{blog.post}/")).json()["author"]["id"]
    path = path.format(post=blog.post, author=author)
    answered.clear()
    for method in ("PUT", "DELETE", "DELETE", "PUT", "POST", "POST"):
        lane = await blog.reader.request(method, path)
        back = {"PUT": "DELETE", "DELETE": "PUT", "POST": "POST"}[method]
        if lane.headers.get("consistency-token"):
            await blog.reader.request(back, path)
        fastapi = await blog.reader.request(method, path, headers={"Expect": "nothing"})
        tokens = [answer.headers.pop("consistency-token", None) is None for answer in (lane, fastapi)]
        assert shown(lane) == shown(fastapi)
        assert tokens[0] == tokens[1]
    assert answered.count(False) == 6


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_what_the_lane_cannot_turn_is_refused_as_fastapi_refuses_it(
    blog: Blog, api: httpx.AsyncClient, method: str, answered: list[bool]
) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    paths = [f"/posts/{nobody}/like/", f"/users/{nobody}/subscribe/", f"/users/{blog.reader.id}/subscribe/"]
    for path in paths:
        lane = await blog.reader.request(method, path)
        fastapi = await blog.reader.request(method, path, headers={"Expect": "nothing"})
        assert shown(lane) == shown(fastapi)
        assert 400 <= lane.status_code < 500
    assert answered == [True, False] * len(paths)
    assert (await api.request(method, f"/posts/{blog.post}/like/")).status_code == 401
    assert not answered[-1]
