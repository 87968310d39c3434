"""Connections to PostgreSQL that are cut or held at the worst moment: one effect, and a pool that stays sound."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.commands.conftest import COMMANDS, nobody_lingers
from tests.faults.conftest import PATIENCE_SECONDS
from tests.projections.conftest import Connect
from tests.support.blog import happened
from tests.support.people import Person, SignUp
from tests.support.tcp_proxy import BEGIN, COMMIT, EXECUTE, TcpProxy, Then, tcp_proxy
from tests.support.waiting import until
from tests.support.worker_process import worker_process

OF_COMMANDS = b"inkfold-commands"
POST = {"title": "A title", "content": "Some content."}

cut = pytest.mark.parametrize("then", [Then.CUT_BEFORE, Then.CUT_AFTER], ids=["request lost", "answer lost"])


@pytest.fixture
async def proxy(config: Settings) -> AsyncIterator[TcpProxy]:
    async with tcp_proxy(config.database_url) as proxy:
        yield proxy


@pytest.fixture
async def ada(proxy: TcpProxy, config: Settings, sql: Connection) -> AsyncIterator[Person]:  # noqa: ARG001 - emptied
    """Signed in to an API that reaches PostgreSQL through the proxy, and has one connection for commands."""
    app: FastAPI = create_app(config.model_copy(update={"database_url": proxy.url, "command_pool_size": 1}))
    async with app.router.lifespan_context(app):
        ada = await Person.register(app, "ada")
        yield ada
        await ada.aclose()


async def events(sql: Connection) -> Counter[str]:
    return Counter(event[0] for event in await happened(sql))


async def count(sql: Connection, table: str) -> int:
    found: int = await sql.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def test_fault_15_100_requests_cancelled_at_their_begin_leave_the_pool_intact(
    ada: Person, proxy: TcpProxy, sql: Connection
) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):  # of a pool that has lost its connection, nothing comes any more
        for number in range(100):
            begin = proxy.trap(BEGIN, Then.HOLD, of=OF_COMMANDS)
            request = asyncio.create_task(ada.publish(f"Title {number}"))
            await begin.sprung.wait()
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            begin.let_go.set()
        await asyncio.gather(*(ada.publish(f"After {number}") for number in range(10)))
    await until(lambda: nobody_lingers(sql))
    assert await count(sql, "posts") == (await events(sql))["PostPublished"]


@cut
async def test_fault_16_a_like_cut_off_at_its_commit_is_given_once(
    ada: Person, proxy: TcpProxy, sql: Connection, then: Then
) -> None:
    like = f"/posts/{await ada.publish()}/like/"
    # Sent before, the statement is prepared: what is cut next is its execution, which commits by itself.
    assert [(await ada.put(like)).status_code, (await ada.delete(like)).status_code] == [200, 200]
    execution = proxy.trap(EXECUTE, then, of=OF_COMMANDS)

    answer = await ada.put(like)

    assert execution.sprung.is_set()
    assert answer.status_code == 200 or outcome_is_unknown(answer)
    assert (await ada.put(like)).json() == {"liked": True}
    assert await count(sql, "likes") == 1
    assert await events(sql) == {"UserRegistered": 1, "PostPublished": 1, "PostLiked": 2, "PostUnliked": 1}


@cut
async def test_fault_16_a_post_cut_off_at_its_commit_is_stored_whole_or_not_at_all(
    ada: Person, proxy: TcpProxy, sql: Connection, then: Then
) -> None:
    commit = proxy.trap(COMMIT, then, of=OF_COMMANDS)

    answer = await ada.post("/posts/", json=POST)

    assert commit.sprung.is_set()
    assert outcome_is_unknown(answer)
    stored = 1 if then is Then.CUT_AFTER else 0
    assert await count(sql, "posts") == stored
    assert (await events(sql))["PostPublished"] == stored
    await ada.publish("The connection is replaced")


@cut
async def test_fault_16_a_post_sent_again_with_its_key_after_a_cut_commit_is_published_once(
    ada: Person, proxy: TcpProxy, sql: Connection, then: Then
) -> None:
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    proxy.trap(COMMIT, then, of=OF_COMMANDS)
    first = await ada.post("/posts/", json=POST, headers=headers)
    assert first.status_code == 201 or outcome_is_unknown(first)

    async def repeated() -> httpx.Response | None:
        """Return what the retry is answered once PostgreSQL has noticed that the first one is gone."""
        answer = await ada.post("/posts/", json=POST, headers=headers)
        return None if answer.status_code == 409 else answer

    again = await until(repeated)
    assert again is not None
    assert again.status_code == 201
    assert [row["id"] for row in await sql.fetch("SELECT id FROM posts")] == [UUID(again.json()["id"])]
    assert (await events(sql))["PostPublished"] == 1


def outcome_is_unknown(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"], "Retry-After" in answer.headers) == (
        503,
        "/problems/outcome-unknown",
        True,
    )


async def test_fault_17_a_command_that_locks_in_the_opposite_order_is_tried_again(
    signed_up: SignUp, sql: Connection, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    post = await ada.publish()
    assert (await bob.put(f"/posts/{post}/like/")).status_code == 200
    other = await connect()
    await other.execute("SET deadlock_timeout = '1min'; BEGIN")  # so that the deletion is the one that gives way
    await other.execute("SELECT FROM likes WHERE post_id = $1 FOR UPDATE", post)
    with caplog.at_level(logging.INFO, logger="app.command_store"):
        deletion = asyncio.create_task(ada.delete(f"/posts/{post}/"))
        await until(lambda: sql.fetchval(f"SELECT true {COMMANDS} AND wait_event_type = 'Lock'"))
        await other.execute("SELECT FROM posts WHERE id = $1 FOR UPDATE", post)
        await other.execute("COMMIT")
        assert (await deletion).status_code == 204
    assert "Trying a command again after DeadlockDetectedError" in caplog.text
    assert await count(sql, "posts") == 0


async def test_own_writes_are_read_while_redis_answers_late_and_is_cut_off(
    config: Settings, projector: Projector, sql: Connection
) -> None:
    async with tcp_proxy(config.redis_url) as redis:
        changes = {"redis_url": redis.url, "consistency_wait_seconds": PATIENCE_SECONDS}
        app = create_app(config.model_copy(update=changes))
        async with app.router.lifespan_context(app):
            ada = await Person.register(app, "ada")
            with worker_process():
                for seconds in (0, 0.01, 0.1):
                    redis.delay_seconds = seconds
                    post = await ada.publish()
                    assert (await ada.get(f"/posts/{post}/")).status_code == 200
                    redis.cut_all()
                    assert (await ada.put(f"/posts/{post}/like/")).status_code == 200
                    assert (await ada.get(f"/posts/{post}/")).json()["like_count"] == 1
            await ada.aclose()
    await projector.fold()
    assert await count(sql, "read_post_like") == 3
