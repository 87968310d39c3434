"""Whatever is asked, and however oddly, the lane answers it byte for byte as FastAPI does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given, settings

from app.main import Api
from projections.projector import Projector
from tests.support.odd_requests import odd_requests
from tests.support.people import Person, SignUp, anyone
from tests.support.raw_asgi import RawAnswer, RawRequest, ask

#: Headers that tell of the request, and not of what it asks for.
_ITS_OWN = {b"x-request-id", b"consistency-token"}
_PATHS = ("/posts/?limit=2", "/posts/?sort=top&limit=2", "/feed/?limit=2", "/posts/", "/posts/top/", "/posts/{post}/")


@dataclass(frozen=True)
class Blog:
    """An app, and what is put in the place of <names> in requests to it."""

    app: Api
    names: Mapping[str, str]

    def filled(self, request: RawRequest) -> RawRequest:
        """Return the request with its names replaced."""
        return RawRequest(
            request.method,
            self._fill(request.path),
            self._fill(request.query.decode("latin-1")).encode("latin-1"),
            tuple((name, self._fill(value.decode("latin-1")).encode("latin-1")) for name, value in request.headers),
        )

    def _fill(self, text: str) -> str:
        return re.sub("<([A-Za-z]+[0-9]?)>", lambda found: self.names[found[1]], text)


async def _seen(person: Person, app: FastAPI, post: str) -> dict[str, str]:
    """Return cursors and tags that answers have given, by their names."""
    cursors, tags = list[str](), list[str]()
    async with anyone(app) as stranger:
        for path in _PATHS:
            for client, encoding in ((person, "gzip"), (stranger, "identity")):
                answer = await client.get(path.format(post=post), headers={"Accept-Encoding": encoding})
                cursors.append(answer.json().get("next_cursor"))
                tags.append(answer.headers.get("ETag"))
    kept = [each for each in dict.fromkeys(cursors) if each]
    held = [each for each in dict.fromkeys(tags) if each]
    return {f"cursor{n}": kept[n] for n in range(3)} | {f"tag{n}": held[n] for n in range(8)}


@pytest.fixture
async def blog(signed_up: SignUp, projector: Projector, application: FastAPI) -> Blog:
    assert isinstance(application, Api)
    ada, bob = await signed_up("ada"), await signed_up("bob")
    await bob.put(f"/users/{ada.id}/subscribe/")
    posts = [await ada.publish(f"Títle {number}", "Long enough to be compressed. " * 40) for number in range(4)]
    await bob.put(f"/posts/{posts[1]}/like/")
    await projector.announce()
    await projector.fold()
    ids = {"post": str(posts[1]), "author": str(ada.id), "me": str(bob.id)}
    token = bob.headers["Authorization"].removeprefix("Bearer ")
    shouted = {name.upper(): value.upper() for name, value in ids.items()}
    return Blog(application, {**ids, **shouted, "token": token, **await _seen(bob, application, ids["post"])})


def shown(answer: RawAnswer) -> RawAnswer:
    return replace(answer, headers=tuple(header for header in answer.headers if header[0] not in _ITS_OWN))


@given(asked=odd_requests)
@example(asked=RawRequest("GET", "/posts/", b"limit=1", ((b"host", b"a/b"),)))
@settings(
    max_examples=400,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_whatever_is_asked_the_lane_answers_as_fastapi_does(
    blog: Blog, projector: Projector, asked: RawRequest
) -> None:
    filled = blog.filled(asked)
    lane = await ask(blog.app, filled)
    fastapi = await ask(super(Api, blog.app).__call__, filled)
    if asked.method in {"PUT", "DELETE"}:
        await projector.fold()
    assert shown(lane) == shown(fastapi)
    assert lane.status < 500
