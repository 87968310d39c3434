"""Requests whose head or body is beyond any use: a problem says so, before anything looks at each part of them."""

import httpx
import orjson
import pytest

from tests.support.people import SignUp

PATHS = ["/analytics/likes/", "/auth/me/", "/nothing/"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_and_query_that_are_too_long_are_414(api: httpx.AsyncClient, path: str) -> None:
    queries = ["x=" + "y" * 8_200, "&".join(f"x{number}=1" for number in range(2_000)), "%00" * 3_000]
    for query in queries:
        answer = await api.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["type"]) == (414, "/problems/uri-too-long")
    assert (await api.get("/" + "y" * 8_200)).status_code == 414


@pytest.mark.parametrize("path", PATHS)
async def test_header_fields_that_are_too_large_or_too_many_are_431(api: httpx.AsyncClient, path: str) -> None:
    fields = [{"X-Long": "y" * 66_000}, {"y" * 66_000: "1"}, {f"X-{number}": "y" for number in range(101)}]
    for headers in fields:
        answer = await api.get(path, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (431, "/problems/headers-too-large")


@pytest.mark.parametrize("path", ["/auth/register/", "/auth/login/", "/auth/refresh/", "/posts/"])
async def test_a_body_of_too_many_fields_is_refused_as_a_whole(signed_up: SignUp, path: str) -> None:
    ada = await signed_up("ada")
    body = orjson.dumps({f"{number:x}": 0 for number in range(90_000)})
    answer = await ada.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-input")
    assert answer.json()["detail"] == "The body has more than 100 fields. Send only those that are described."
    assert "errors" not in answer.json()


async def test_a_form_of_too_many_fields_is_refused(api: httpx.AsyncClient) -> None:
    form = {f"field{number}": "1" for number in range(1_000)}
    answer = await api.post("/auth/login/", data=form)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("depth", [500, 1_000, 1_100, 100_000])
@pytest.mark.parametrize("text", ["[", '{"a":'])
async def test_nesting_of_any_depth_is_refused(signed_up: SignUp, text: str, depth: int) -> None:
    ada = await signed_up("ada")
    nested = text * depth + "0" + ("]" if text == "[" else "}") * depth
    for content in (nested, f'{{"title": {nested}, "content": "x"}}'):
        answer = await ada.post("/posts/", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("digits", [19, 20, 4_301, 5_000, 8_000])
@pytest.mark.parametrize("sign", ["", "-"])
async def test_numbers_of_any_length_are_refused(signed_up: SignUp, sign: str, digits: int) -> None:
    ada = await signed_up("ada")
    number = sign + "9" * digits
    answers = [
        await ada.get("/posts/", params={"limit": number}),
        await ada.get(f"/posts/{number}/"),
        await ada.get("/posts/", headers={"Consistency-Token": f"{number}9"}),
        await ada.post("/posts/", content=f'{{"title": {number}}}', headers={"Content-Type": "application/json"}),
    ]
    assert {answer.status_code for answer in answers} <= {400, 422}
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
