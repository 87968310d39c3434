"""What every request meets before and after its route: paths, HEAD, ids, headers, the access log, metrics."""

import asyncio
import json
import logging

import httpx
import pytest
from fastapi import FastAPI

from app.api.frame.access_log import AccessLog, Answered
from app.api.frame.paths import declared_path
from app.api.operations.metrics import Metrics
from app.logs import JsonLines
from app.main import create_app
from app.settings import Settings
from projections.registry import PROJECTIONS
from tests.support.people import SignUp


def access_lines(application: FastAPI, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the access log has written since it was last asked."""
    application.state.metrics.flush()
    return [line for line in capsys.readouterr().err.splitlines() if '"app.access"' in line]


@pytest.mark.parametrize(
    ("path", "root", "declared"),
    [
        ("/posts", "", "/posts/"),
        ("/posts/", "", "/posts/"),
        ("/", "", "/"),
        ("/health/live/", "", "/health/live"),
        ("/metrics/", "", "/metrics"),
        ("/docs/assets/favicon.png", "", "/docs/assets/favicon.png"),
        ("/healthy", "", "/healthy/"),
        ("/blog/docs/", "/blog", "/blog/docs"),
        ("/blog/posts", "/blog/", "/blog/posts/"),
        ("/posts//", "", "/posts//"),
    ],
)
def test_path_takes_the_form_in_which_it_is_declared(path: str, root: str, declared: str) -> None:
    assert declared_path(path, root=root) == declared


@pytest.mark.parametrize("path", ["/problems", "/problems/", "/health/live", "/health/live/", "/docs", "/docs/", "/"])
async def test_path_works_with_and_without_its_slash_and_is_not_redirected(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path)).status_code == 200


async def test_head_answers_as_get_without_the_body(api: httpx.AsyncClient) -> None:
    got, head = await api.get("/problems/"), await api.head("/problems/")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_usable_request_id_is_kept_and_others_are_replaced(api: httpx.AsyncClient) -> None:
    kept = await api.get("/health/live", headers={"X-Request-ID": "trace-1.A_b"})
    replaced = await api.get("/health/live", headers={"X-Request-ID": "no spaces, please"})

    assert kept.headers["x-request-id"] == "trace-1.A_b"
    assert len(replaced.headers["x-request-id"]) == 16


async def test_browser_is_kept_from_misusing_an_answer(api: httpx.AsyncClient) -> None:
    headers = (await api.get("/problems/")).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_request_is_logged_with_its_route_and_without_its_secrets(
    signed_up: SignUp, application: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = await signed_up("ada")
    access_lines(application, capsys)
    answer = await ada.put("/posts/%0d%0aforged/like/?cursor=query-secret")

    assert answer.status_code == 422
    [line] = access_lines(application, capsys)
    assert "\r" not in line
    assert "query-secret" not in line
    assert ada.headers["authorization"].removeprefix("Bearer ") not in line
    logged = json.loads(line)
    assert (logged["method"], logged["route"], logged["status"]) == ("PUT", "/posts/{post_id}/like/", 422)


@pytest.mark.parametrize(
    ("level", "logged"), [("debug", ["/health/live", "/posts/"]), ("info", ["/posts/"]), ("warning", [])]
)
async def test_requests_of_those_who_watch_are_logged_at_debug_level(
    level: str, logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = AccessLog(level)
    log.write(Answered(0.5, "id", "GET", path, path, 200, 0.001) for path in ("/health/live", "/posts/"))

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["path"] for line in lines] == logged
    assert all(line["level"] == ("debug" if line["path"] == "/health/live" else "info") for line in lines)


async def test_a_request_is_logged_a_moment_later(api: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    await api.get("/posts/", headers={"X-Request-ID": "looked-for"})
    written = ""
    async with asyncio.timeout(10):
        while "looked-for" not in written:
            await asyncio.sleep(0.01)
            written += capsys.readouterr().err


def test_log_line_holds_the_error_on_one_line() -> None:
    try:
        raise ValueError("first\nsecond")  # noqa: TRY301 - to be logged
    except ValueError as error:
        record = logging.LogRecord(
            "app", logging.ERROR, "", 0, "It %s", ("failed",), (ValueError, error, error.__traceback__)
        )

    line = JsonLines().format(record)

    assert "\n" not in line
    assert json.loads(line)["message"] == "It failed"
    assert "second" in json.loads(line)["error"]


async def test_metrics_count_by_route_and_show_the_projections(api: httpx.AsyncClient) -> None:
    await api.get("/problems/not-found")
    await api.request("BREW", "/health/live")

    text = (await api.get("/metrics")).text

    assert 'inkfold_http_requests_total{method="GET",route="/problems/{slug}/",status="200"}' in text
    assert 'inkfold_http_requests_total{method="other",route="/health/live",status="405"}' in text
    for projection in PROJECTIONS:
        assert f'inkfold_projection_behind{{projection="{projection.name}"}} 0.0' in text


async def test_each_time_is_counted_in_its_bucket() -> None:
    metrics = Metrics(AccessLog("error"))
    for seconds in (0.0005, 0.001, 0.003, 20.0):
        metrics.note(Answered(0.0, "-", "GET", "/posts/", "/posts/", 200, seconds))
    metrics.flush()

    labels = {"method": "GET", "route": "/posts/"}
    (times,) = (metric for metric in metrics.registry.collect() if metric.name == "inkfold_http_request_seconds")
    found = {sample.labels["le"]: sample.value for sample in times.samples if sample.name.endswith("_bucket")}
    assert list(found.values()) == [2.0, 2.0, *[3.0] * 11, 4.0]
    assert metrics.registry.get_sample_value("inkfold_http_request_seconds_sum", labels) == pytest.approx(20.0045)
    assert metrics.registry.get_sample_value("inkfold_http_requests_total", {**labels, "status": "200"}) == 4.0


async def test_root_leads_on(api: httpx.AsyncClient) -> None:
    addresses = (await api.get("/")).json()["addresses"]

    assert addresses["documentation"] == "/docs"
    for address in addresses.values():
        assert (await api.get(address)).status_code == 200


async def test_documentation_can_be_left_out(config: Settings) -> None:
    app = create_app(config.model_copy(update={"docs_enabled": False}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test") as client:
        answers = [await client.get(path) for path in ("/docs", "/redoc", "/openapi.json")]
        root = await client.get("/")

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert "documentation" not in root.json()["addresses"]
