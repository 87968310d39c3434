"""What goes wrong on a replica while it answers: the client gets the primary's answer."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

import pytest
from fastapi import FastAPI

from app.embedded.postgres import EmbeddedPostgres
from app.queries.reader import Reader
from app.replicas.routing import Replicas
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import Person, anyone
from tests.support.replica import Statements, api_reading_from, pause, reasons, resume, tell, until
from tests.support.running_worker import running_worker

ROUNDS = 5


@dataclass(frozen=True)
class Where:
    """Answers whether a replica answers, which takes a replica a minute."""

    reads: ClassVar[tuple[str, ...]] = ("posts",)

    async def fetch(self, reader: Reader) -> str:
        return str(
            await reader.fetchval(
                "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' || pg_sleep(60) ELSE 'primary' END "
                "FROM read_post_total"
            )
        )


async def asked(app: FastAPI, replica: EmbeddedPostgres) -> "asyncio.Task[str | None]":
    """Ask, and wait until the replica is busy with it."""

    async def ask() -> str | None:
        replicas: Replicas = app.state.replicas
        return (await replicas.answer(Where())).value

    async def busy() -> bool:
        return await tell(replica, "SELECT true FROM pg_stat_activity WHERE wait_event = 'PgSleep'") is True

    answering = asyncio.create_task(ask())
    await until(busy)
    return answering


async def test_a_query_that_stands_in_the_way_of_replay_is_answered_by_the_primary(
    app: FastAPI, sql: Connection, replica: EmbeddedPostgres
) -> None:
    answering = await asked(app, replica)
    async with sql.transaction():
        await sql.execute("LOCK TABLE read_post_total IN ACCESS EXCLUSIVE MODE")
        await sql.execute("SELECT pg_current_xact_id()")
    assert await answering == "primary"
    assert "due to conflict with recovery" in replica.folder.log.read_text("utf-8")


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_query_that_was_ended_is_answered_by_the_primary(
    end: str, app: FastAPI, replica: EmbeddedPostgres
) -> None:
    answering = await asked(app, replica)
    await tell(replica, f"SELECT {end}(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    assert await answering == "primary"


async def test_own_writes_are_read_under_load_while_replay_stops_and_goes_on(
    config: Settings, projector: Projector, replica: EmbeddedPostgres
) -> None:
    assert projector
    async with api_reading_from(config, replica.dsn(), replica_wait_seconds=0.1) as app, running_worker(config):
        await until(lambda: reasons(app) == [None])
        there = Statements(replica)
        writing = asyncio.gather(*(write_and_read(app, f"writer{number}") for number in range(4)))
        while not writing.done():
            await pause(replica)
            await resume(replica)
        await writing
    assert there.of("read_post") > 0


async def write_and_read(app: FastAPI, name: str) -> None:
    async with aclosing(await Person.register(app, name)) as person, anyone(app) as other:
        for number in range(1, ROUNDS + 1):
            post = await person.publish(f"{name} {number}")
            found = await other.get(f"/posts/{post}/")
            assert found.status_code == 200, found.text
            mine = await person.get(f"/posts/?author_id={person.id}")
            assert mine.json()["total"] == number, mine.text
            await person.put(f"/posts/{post}/like/")
            liked = (await person.get(f"/posts/{post}/")).json()
            assert (liked["like_count"], liked["liked_by_me"]) == (1, True)
