"""A real nginx as compose runs it: slow and half-sent requests stay with it, and nobody is who they are not."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from app.api.frame.problems import ContentTooLarge, describe
from app.errors import MalformedRequest, NotFound, Unavailable
from tests.support.proxy import CONNECTIONS, NGINX, Proxy, adapt, command, running_proxy
from tests.support.running_system import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(NGINX is None, reason="There is no nginx here to try the configuration with.")


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    with TemporaryDirectory(prefix="inkfold-") as folder:
        async with running_proxy(Path(folder)) as proxy:
            yield proxy


def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(adapt(tmp_path, port=free_port(), upstream=9), "utf-8")
    done = subprocess.run([*command(file), "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_half_a_body_is_kept_from_the_api_and_others_are_served(proxy: Proxy) -> None:
    head = b"POST /posts/ HTTP/1.1\r\nHost: inkfold.test\r\nContent-Length: 100000\r\n\r\n"
    async with proxy.sent(head + b"x" * 99_999) as (reader, writer):
        assert (await proxy.client.get("/posts/")).status_code == 200
        assert [each.split()[0] for each in proxy.upstream.requests] == [b"GET"]

        writer.write(b"x")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert proxy.upstream.requests[-1].endswith(b"\r\n\r\n" + b"x" * 100_000)


async def test_half_a_head_is_kept_from_the_api_and_others_are_served(proxy: Proxy) -> None:
    async with proxy.sent(b"GET /posts/top/ HTTP/1.1\r\nHost: inkfold.test\r\nX-Slow: "):
        assert (await proxy.client.get("/posts/")).status_code == 200
        assert len(proxy.upstream.requests) == 1


async def test_an_address_has_so_many_connections_and_no_more(proxy: Proxy) -> None:
    held = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(CONNECTIONS)]
    for _, writer in held:
        writer.write(b"GET /posts/ HTTP/1.1\r\n")  # and never the rest

    async def refused() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET /posts/ HTTP/1.1\r\nHost: inkfold.test\r\n\r\n")
        try:
            answer = await reader.read(100)
        except ConnectionError:
            answer = b""
        writer.close()
        return answer == b""

    await until(refused)
    for _, writer in held:
        writer.close()

    async def served() -> bool:
        with suppress(httpx.TransportError):
            return (await proxy.client.get("/posts/")).status_code == 200
        return False

    await until(served)


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "/%6detrics", "//metrics", "/posts/../metrics", "/metrics?a=1"]
)
async def test_metrics_are_not_shown_to_everybody(proxy: Proxy, path: str) -> None:
    async with proxy.sent(f"GET {path} HTTP/1.1\r\nHost: inkfold.test\r\nConnection: close\r\n\r\n".encode()) as (
        answer,
        _,
    ):
        head, _, body = (await answer.read()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 404")
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body) == describe(NotFound)
    assert proxy.upstream.requests == []


async def test_a_client_cannot_say_that_it_is_another(proxy: Proxy) -> None:
    claims = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Forwarded-Proto": "https"}
    await proxy.client.get("/posts/", headers=claims)

    (request,) = proxy.upstream.requests
    assert b"203.0.113.9" not in request
    assert re.findall(rb"(?i)x-forwarded-for: (.*)\r\n", request) == [b"127.0.0.1"]
    assert re.findall(rb"(?i)x-forwarded-proto: (.*)\r\n", request) == [b"http"]


async def test_what_the_api_goes_by_passes_unchanged(proxy: Proxy) -> None:
    await proxy.client.get(
        "/posts/%D0%B0%2Fb/?cursor=a%20b",
        headers={"Authorization": "Bearer x", "X-Request-ID": "trace", "Host": "a.test:81"},
    )

    (request,) = proxy.upstream.requests
    assert request.startswith(b"GET /posts/%D0%B0%2Fb/?cursor=a%20b HTTP/1.1\r\n")
    for header in (b"Authorization: Bearer x", b"X-Request-ID: trace", b"Host: a.test:81"):
        assert header.lower() in request.lower()


async def test_the_api_is_named_a_host_even_by_a_client_of_http_1_0(proxy: Proxy) -> None:
    async with proxy.sent(b"GET /posts/ HTTP/1.0\r\n\r\n") as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    (request,) = proxy.upstream.requests
    assert re.findall(rb"(?i)\r\nhost: (.*)\r\n", request) == [b"inkfold"]


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(proxy: Proxy) -> None:
    head = b"POST /posts/ HTTP/1.1\r\nHost: inkfold.test\r\nContent-Length: 52428800\r\nConnection: close\r\n\r\n"
    async with proxy.sent(head) as (reader, _):
        answer, _, body = (await reader.read()).partition(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(body) == describe(ContentTooLarge)
    assert proxy.upstream.requests == []


async def test_without_the_api_it_says_when_to_try_again(proxy: Proxy) -> None:
    proxy.upstream.gone = True
    answer = await proxy.client.get("/posts/")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == describe(Unavailable)


async def test_a_malformed_request_is_answered_with_a_problem(proxy: Proxy) -> None:
    async with proxy.sent(b"GET / HTTP/1.1\r\nHost: inkfold.test\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n") as (
        reader,
        _,
    ):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body) == describe(MalformedRequest)
    assert proxy.upstream.requests == []
