"""What `inkfold api` bounds by itself: how long a request may take to come, its head, connections; forged addresses."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import orjson
import pytest

from app.serving import _shared_socket
from app.settings import Settings
from projections.projector import Projector
from tests.support.api_server import Connection, api_server

CONNECTIONS = 220
SLOW = 200
ASKED = b"GET /health/live HTTP/1.1\r\nHost: inkfold.test\r\n\r\n"
LOGIN = b"POST /auth/login/ HTTP/1.1\r\nHost: inkfold.test\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port(config: Settings, migrated: Projector) -> Iterator[int]:  # noqa: ARG001 - the process reads the same settings
    with api_server(
        REQUEST_TIMEOUT_SECONDS="2",
        KEEP_ALIVE_SECONDS="60",
        CONNECTION_LIMIT=str(CONNECTIONS),
        RATE_LIMIT_READS="5/hour",
        TRUSTED_PROXIES="127.0.0.1,192.0.2.0/24",
    ) as serving:
        yield serving.port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    connection = await Connection.open(port)
    try:
        yield connection
    finally:
        await connection.close()


def problem(answer: bytes) -> tuple[int, str]:
    """Return the status and the type of a problem that is the whole answer; raises ValueError for another answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    said = orjson.loads(body)
    assert head.startswith(f"HTTP/1.1 {said['status']} ".encode())
    return said["status"], said["type"]


@pytest.mark.parametrize(
    "half",
    [
        b"G",
        b"GET /posts/ HTTP/1.1\r\nHost: a\r\nX-Slow: ",
        LOGIN + b"Content-Length: 50\r\n\r\n{",
        LOGIN + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
    ids=["a letter", "half a head", "half a body", "half a chunked body"],
)
async def test_a_request_that_does_not_come_whole_is_408_and_others_are_served(port: int, half: bytes) -> None:
    async with connected(port) as slow, connected(port) as other:
        await slow.send(half)
        await other.send(ASKED)
        assert (await other.answer()).startswith(b"HTTP/1.1 200")
        assert problem(await slow.rest()) == (408, "/problems/request-timeout")


async def test_many_slow_requests_keep_nobody_from_being_served(port: int) -> None:
    async with AsyncExitStack() as stack, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        slow = [await stack.enter_async_context(connected(port)) for _ in range(SLOW)]
        for turn, letters in enumerate(in_pieces(LOGIN)):
            for connection in slow:
                await connection.send(letters)
            assert (await client.get("/posts/")).status_code == 200, turn
        assert {problem(await connection.rest())[0] for connection in slow} == {408}


def in_pieces(head: bytes) -> Iterator[bytes]:
    return (head[start : start + 10] for start in range(0, len(head), 10))


async def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    async with connected(port) as silent:
        assert await silent.rest() == b""


async def test_a_connection_that_says_nothing_more_than_line_ends_is_closed(port: int) -> None:
    async with connected(port) as dripping:
        await dripping.send(ASKED)
        assert (await dripping.answer()).startswith(b"HTTP/1.1 200")
        await dripping.send(b"\r\n")
        assert await dripping.rest() == b""


async def test_a_request_in_pieces_and_several_at_once_are_answered(port: int) -> None:
    async with connected(port) as connection:
        await connection.send(*(bytes([letter]) for letter in ASKED))
        assert (await connection.answer()).startswith(b"HTTP/1.1 200")
        await connection.send(ASKED * 3)
        assert [(await connection.answer())[:12] for _ in range(3)] == [b"HTTP/1.1 200"] * 3


async def test_a_large_body_is_no_large_head(port: int) -> None:
    body = orjson.dumps({"username": "ada", "password": "x" * 900_000})
    head = LOGIN + b"Content-Length: %d\r\n\r\n" % len(body)
    async with connected(port) as connection:
        for _ in range(2):
            await connection.send(head + body)
            assert (await connection.answer()).startswith(b"HTTP/1.1 422")


@pytest.mark.parametrize("size", [70_000, 5_000_000])
async def test_a_head_without_end_is_431(port: int, size: int) -> None:
    async with connected(port) as connection:
        await connection.send(b"GET /posts/ HTTP/1.1\r\nHost: a\r\nX-Long: " + b"y" * size)
        assert problem(await connection.answer()) == (431, "/problems/headers-too-large")


async def test_what_is_no_http_is_400(port: int) -> None:
    async with connected(port) as connection:
        await connection.send(b"\x16\x03\x01\x02\x00\x01 nonsense\r\n\r\n")
        assert problem(await connection.rest()) == (400, "/problems/malformed-request")


async def test_connections_beyond_the_limit_are_503_until_others_end(port: int) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS - 1):
            connection = await stack.enter_async_context(connected(port))
            await connection.send(ASKED)
            assert (await connection.answer()).startswith(b"HTTP/1.1 200")
        async with connected(port) as beyond:
            await beyond.send(ASKED)
            refused = await beyond.rest()
        assert problem(refused) == (503, "/problems/overloaded")
        assert b"retry-after: 1" in refused.lower()
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while (await client.get("/health/live")).status_code != 200:
            pass


async def test_readers_behind_a_trusted_proxy_count_by_their_own_addresses(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as proxy:

        async def read(*forwarded: str) -> int:
            headers = [("X-Forwarded-For", value) for value in forwarded]
            return (await proxy.get("/posts/", headers=headers)).status_code

        assert [await read("203.0.113.9") for _ in range(6)] == [200] * 5 + [429]
        assert await read("198.51.100.7, 203.0.113.9") == 429  # what the client has sent itself is not believed
        assert await read("198.51.100.7", "203.0.113.9, 192.0.2.1") == 429
        assert await read("198.51.100.7") == 200
        assert [await read() for _ in range(6)] == [200] * 6


def test_a_shared_port_of_ipv6_takes_no_ipv4_whose_addresses_would_not_be_known_for_what_they_are() -> None:
    with _shared_socket("::", 0) as bound:
        assert bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


async def test_an_answer_says_nothing_of_the_server(port: int) -> None:
    async with connected(port) as connection:
        await connection.send(ASKED)
        assert not re.search(rb"(?i)\r\n(server|x-powered-by):", await connection.answer())
