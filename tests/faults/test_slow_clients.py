"""Clients that send without end, or hardly at all, to a real API over real sockets: it and its other clients go on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from projections.projector import Projector
from tests.support.api_server import ApiServer, api_server
from tests.support.people import PASSWORD
from tests.support.tcp_proxy import Then, tcp_proxy

SLOW = 300
TURNS = 20
PIECE = b" " * 65_536
PIECES = 50 * 2**20 // len(PIECE)
#: Far less than what was sent, and more than a process grows by while it answers.
GROWTH = 16 * 2**20

HEAD = b"POST /auth/login/ HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def serving(migrated: Projector) -> Iterator[ApiServer]:  # noqa: ARG001 - there are tables to serve from
    with api_server() as serving:
        yield serving


@asynccontextmanager
async def connected(serving: ApiServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def send_all(serving: ApiServer, writer: asyncio.StreamWriter, *, chunked: bool) -> int:
    """Send 50 MB, or as much as is taken; return the most memory that the API held meanwhile."""
    most = 0
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (PIECES * len(PIECE))
    try:
        writer.write(HEAD + framing + b"\r\n\r\n")
        for _ in range(PIECES):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            await writer.drain()
            most = max(most, serving.memory())
        if chunked:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except ConnectionError:
        pass
    return max(most, serving.memory())


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with its length"])
async def test_fault_31_a_body_of_50_mb_is_refused_and_takes_no_memory(serving: ApiServer, *, chunked: bool) -> None:
    before = serving.memory()
    async with connected(serving) as (reader, writer):
        status = asyncio.create_task(reader.readline())
        most = await send_all(serving, writer, chunked=chunked)
        assert (await status).startswith(b"HTTP/1.1 413 ")
    assert most - before < GROWTH
    async with httpx.AsyncClient(base_url=serving.url) as other:
        assert (await other.get("/posts/")).status_code == 200


async def test_fault_37_others_are_served_while_many_send_headers_and_bodies_slowly(serving: ApiServer) -> None:
    async with AsyncExitStack() as stack, httpx.AsyncClient(base_url=serving.url) as other:
        slow = [(await stack.enter_async_context(connected(serving)))[1] for _ in range(SLOW)]
        for number, writer in enumerate(slow):
            half = b"Content-Length: 1000\r\n\r\n{" if number % 2 else b"X-Slow: "
            writer.write(HEAD + half)
        for _ in range(TURNS):
            for writer in slow:
                writer.write(b"a")
            assert (await other.get("/posts/")).status_code == 200
            assert (await other.get("/health/live")).status_code == 200


@pytest.mark.usefixtures("sql")
async def test_a_request_cut_off_in_its_body_changes_nothing(serving: ApiServer) -> None:
    account = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    async with tcp_proxy(serving.url) as proxy, httpx.AsyncClient(base_url=proxy.url) as far:
        cut = proxy.trap(b"example.org", Then.CUT_BEFORE)
        with pytest.raises(httpx.TransportError):
            await far.post("/auth/register/", json=account)
        assert cut.sprung.is_set()
        assert (await far.post("/auth/register/", json=account)).status_code == 201
