"""The `type` of a problem: it stays the same from release to release, and says at its own address what it means."""

import re

import httpx
import pytest

from app.api.frame.problems import all_kinds, describe
from app.errors import InkfoldError
from app.main import create_app
from app.settings import Settings

#: Clients tell problems apart by these. More may come; none may go, or change its status.
PROMISED = {
    "internal-error": 500,
    "invalid-input": 422,
    "invalid-cursor": 422,
    "self-subscription": 422,
    "unauthenticated": 401,
    "invalid-credentials": 401,
    "invalid-refresh-token": 401,
    "not-the-author": 403,
    "not-found": 404,
    "post-not-found": 404,
    "user-not-found": 404,
    "notification-not-found": 404,
    "username-taken": 409,
    "email-taken": 409,
    "precondition-failed": 412,
    "unavailable": 503,
    "overloaded": 503,
    "storage-full": 503,
    "projection-lagging": 503,
    "outcome-unknown": 503,
    "malformed-body": 400,
    "malformed-request": 400,
    "request-timeout": 408,
    "headers-too-large": 431,
    "method-not-allowed": 405,
    "content-too-large": 413,
    "unsupported-media-type": 415,
    "preflight-refused": 400,
}
KINDS = list(all_kinds())


def test_no_promised_kind_is_gone() -> None:
    assert {kind.slug: kind.status for kind in KINDS}.items() >= PROMISED.items()


def test_no_two_kinds_have_one_name() -> None:
    assert len({kind.slug for kind in KINDS}) == len(KINDS)
    assert len({kind.title for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_has_a_name_a_title_and_words_of_its_own(kind: type[InkfoldError]) -> None:
    assert {"slug", "title", "__doc__"} <= vars(kind).keys()
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert re.fullmatch(r"[A-Z][^.]*", kind.title)
    detail = describe(kind)["detail"]
    assert re.fullmatch(r"[A-Z][^\n]*\.", detail)
    assert 400 <= kind.status <= 599


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_each_kind_can_be_read_about_at_its_type(api: httpx.AsyncClient, kind: type[InkfoldError]) -> None:
    for address in (describe(kind)["type"], f"{describe(kind)['type']}/"):
        answer = await api.get(address)
        assert answer.status_code == 200
        assert answer.json() == describe(kind)


def test_every_type_in_the_description_of_the_api_is_a_kind(config: Settings) -> None:
    described = set(re.findall(r"'/problems/([a-z-]+)'", str(create_app(config).openapi())))

    assert described
    assert described <= {kind.slug for kind in KINDS}
