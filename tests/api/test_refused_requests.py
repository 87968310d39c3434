"""What `inkfold api` refuses before it is a request for any route: answered, counted and logged as all else is."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import orjson
import psutil
import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.http_protocol import BoundedHttp
from app.settings import Settings
from projections.projector import Projector
from tests.support.api_server import ApiServer, Connection, api_server
from tests.support.waiting import until

SECONDS = 2
HOST = b"Host: inkfold.test\r\n"
ASKED = b"GET /problems/ HTTP/1.1\r\n" + HOST + b"\r\n"
LOGIN = b"POST /auth/login/ HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BROKEN = {
    "nonsense": b"nonsense\r\n\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that is none": b"CONNECT inkfold.test:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "another version": b"GET /problems/ HTTP/2.0\r\n" + HOST + b"\r\n",
    "no version": b"GET /problems/\r\n\r\n",
    "the start of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /problems/ HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /problems/ HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "a folded header": b"GET /problems/ HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a NUL": b"GET /problems/ HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "a space before a colon": b"GET /problems/ HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
    "bare line feeds": b"GET /problems/ HTTP/1.1\nHost: a\n\n",
    "a length of letters": LOGIN + b"Content-Length: abc\r\n\r\n",
    "two lengths": LOGIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": LOGIN + b"Content-Length: 2\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks and a length": LOGIN + CHUNKED + b"Content-Length: 2\r\n\r\n0\r\n\r\n",
    "chunks that are not last": LOGIN + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a chunk of no size": LOGIN + CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(config: Settings, migrated: Projector) -> Iterator[ApiServer]:  # noqa: ARG001 - the process reads the same
    with api_server(REQUEST_TIMEOUT_SECONDS=str(SECONDS), KEEP_ALIVE_SECONDS="1") as serving:
        yield serving


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[Connection]:
    connection = await Connection.open(server.port)
    try:
        yield connection
    finally:
        await connection.close()


def answers(sent: bytes) -> list[tuple[int, bytes, dict[str, str]]]:
    """Return the statuses, heads and problems of all that was answered, in turn."""
    found = []
    while sent:
        head, _, rest = sent.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length is not None
        body, sent = rest[: int(length[1])], rest[int(length[1]) :]
        found.append((int(head[9:12]), head.lower(), orjson.loads(body)))
    return found


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_request_of_http_1_is_a_problem_like_any_other(server: ApiServer, sent: bytes) -> None:
    async with connected(server) as connection:
        await connection.send(sent)
        [(status, head, problem)] = answers(await connection.rest())
    assert (status, problem["type"]) == (400, "/problems/malformed-request")
    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"connection: close" in head
    assert re.search(rb"x-request-id: [0-9a-f]{16}", head)


@pytest.mark.parametrize("broken", [BROKEN["nonsense"], BROKEN["no host"], BROKEN["a chunk of no size"]])
async def test_what_is_refused_is_answered_after_what_came_before_it(server: ApiServer, broken: bytes) -> None:
    login = LOGIN + b"Content-Length: 2\r\n\r\n{}"
    async with connected(server) as connection:
        await connection.send(login + ASKED + broken)
        given = answers(await connection.rest())
    assert [status for status, _, _ in given] == [422, 200, 400]


async def test_what_comes_late_is_answered_after_what_came_before_it(server: ApiServer) -> None:
    async with connected(server) as connection:
        await connection.send(ASKED + LOGIN + b"Content-Length: 50\r\n\r\n{")
        given = answers(await connection.rest())
    assert [status for status, _, _ in given] == [200, 408]


async def test_refused_requests_are_logged_once_with_their_ids_and_without_what_was_sent(
    config: Settings,  # noqa: ARG001 - the process reads the same
    migrated: Projector,  # noqa: ARG001
    capfd: pytest.CaptureFixture[str],
) -> None:
    secret = b'{"passwort": "hunter2'
    with api_server(LOG_LEVEL="info", REQUEST_TIMEOUT_SECONDS="0.5") as serving:
        ids = []
        for sent in (
            b"GET /hunter2/ HTTP/1.1\r\nAuthorization: Bearer hunter2\r\n\r\n",
            LOGIN + CHUNKED + b"\r\n15\r\n" + secret + b"\r\nzz\r\n",
            LOGIN + b"Content-Length: 90\r\n\r\n" + secret,
            b"GET / HTTP/1.1\r\nX-Long: hunter2" + b"y" * 70_000,
        ):
            async with connected(serving) as connection:
                await connection.send(sent)
                [(status, head, _)] = answers(await connection.answer())
                found = re.search(rb"x-request-id: (\S+)", head)
                assert found is not None
                ids.append((found[1].decode(), status))
        async with httpx.AsyncClient(base_url=serving.url) as client:
            metrics = (await client.get("/metrics")).text
    written = capfd.readouterr().err
    assert "hunter2" not in written
    lines = [json.loads(line) for line in written.splitlines() if '"app.access"' in line]
    logged = [(line["request_id"], line["status"]) for line in lines if line["status"] >= 400]
    assert logged == ids
    assert [status for _, status in ids] == [400, 400, 408, 431]
    assert not [line for line in written.splitlines() if '"level": "error"' in line]
    for status, number in ((400, 1), (431, 1)):
        assert f'inkfold_http_requests_total{{method="other",route="none",status="{status}"}} {number}.0' in metrics
    for status in (400, 408):
        assert f'inkfold_http_requests_total{{method="POST",route="none",status="{status}"}} 1.0' in metrics


async def test_no_request_follows_one_that_asks_for_another_protocol(server: ApiServer) -> None:
    upgrading = ASKED[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with connected(server) as connection:
        await connection.send(upgrading + ASKED)
        [(status, head, _)] = answers(await connection.rest())
    assert status == 200
    assert b"connection: close" in head


async def test_a_client_that_takes_no_answers_is_cut_off(server: ApiServer) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
        deaf.connect(("127.0.0.1", server.port))
        deaf.setblocking(False)
        here = deaf.getsockname()
        deaf.send((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 100)

        async def is_held() -> bool:
            return here in peers(server.process)

        async def is_gone() -> bool:
            return here not in peers(server.process)

        await until(is_held)
        await until(is_gone)


def peers(process: psutil.Process) -> set[tuple[str, int]]:
    """Return who is connected to the process, or was and has not been let go of."""
    return {(each.raddr.ip, each.raddr.port) for each in process.net_connections("tcp") if each.raddr}


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
@pytest.mark.parametrize("size", [40_000, 4_000_000])
async def test_no_connection_is_left_whose_client_does_not_take_the_answer(header: bytes, size: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(b"x" * size)(scope, receive, send)

    config = uvicorn.Config(app, lifespan="off", proxy_headers=False, timeout_keep_alive=0, log_config=None)
    state, ours, deaf = ServerState(), *socket.socketpair()
    protocol = type("Hasty", (BoundedHttp,), {"request_seconds": 0.1})
    with deaf:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_024)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol(config, state, {}), ours)
        deaf.send(b"GET / HTTP/1.1\r\n" + HOST + header + b"\r\n")
        assert state.connections

        async def is_gone() -> bool:
            return not state.connections

        await until(is_gone)
