"""Input that the reading half of the API refuses."""

import httpx
import pytest

ID = "0199f3a2-6c11-7b52-9d0e-3f1c2a4b5d6e"
BAD_LIMITS = ["0", "-1", "101", "1" + "0" * 30, "+5", "1_0", "5.0", "%205", "five", "", "%D9%A5", "20%00"]
BAD_CURSORS = ["x", "%00", "A" * 40, "A" * 201, "%F0%9F%92%A5", "=" * 40]


def assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"/problems/{slug}"


@pytest.mark.parametrize("limit", BAD_LIMITS)
async def test_a_limit_that_is_no_plain_number_up_to_a_hundred_is_refused(api: httpx.AsyncClient, limit: str) -> None:
    answer = await api.get(f"/posts/?limit={limit}")
    assert_problem(answer, 422, "invalid-input")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["limit"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
@pytest.mark.parametrize("sort", ["new", "top"])
async def test_a_cursor_that_no_list_gave_is_refused(api: httpx.AsyncClient, cursor: str, sort: str) -> None:
    answer = await api.get(f"/posts/?sort={sort}&cursor={cursor}")
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(
    "path",
    [
        "/posts/?sort=old",
        "/posts/?author_id=7",
        "/posts/not-an-id/",
        f"/posts/{ID}x/likes/",
        "/users/%00/",
        "/users/1/posts/",
        "/users/1/subscribers/",
        "/posts/?limit=5&limit=6",
        "/analytics/likes/?from=yesterday",
        "/analytics/likes/?from=1700000000",
        "/analytics/likes/?from=2026-02-30",
        "/analytics/likes/?from=0000-01-01",
        "/analytics/likes/?from=2026-03-02&to=2026-03-01",
        "/analytics/likes/?from=2016-03-01&to=2026-03-01",
        "/analytics/likes/?from=2026-03-01T00:00:00",
        "/analytics/likes/?granularity=hour",
        "/analytics/likes/?tz=Mars/Olympus",
        "/analytics/likes/?tz=../../etc/passwd",
        "/analytics/likes/?tz=UTC%00",
        "/analytics/likes/?tz=UTC&tz=UTC",
        "/analytics/likes/?post_id=7",
    ],
)
async def test_input_that_does_not_fit_is_refused(api: httpx.AsyncClient, path: str) -> None:
    assert_problem(await api.get(path), 422, "invalid-input")
