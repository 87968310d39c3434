"""A replica of the server under test, shared by the tests that leave it as it was, and an API that reads from it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.embedded.postgres import EmbeddedPostgres
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.conftest import Servers
from tests.support.people import Person
from tests.support.replica import LOGGED, api_reading_from, caught_up, copy_of, reasons, resume, tell, until


@pytest.fixture(scope="package")
async def primary(servers: Servers, migrated: Projector) -> AsyncIterator[EmbeddedPostgres]:  # noqa: ARG001
    """The server under test, whose log says what it is asked, and which keeps what a slow replica has yet to fetch."""
    settings = {**LOGGED, "wal_keep_size": "1GB"}
    for name, value in settings.items():
        await tell(servers.postgres, f"ALTER SYSTEM SET {name} = '{value}'")
    await tell(servers.postgres, "SELECT pg_reload_conf()")
    yield servers.postgres
    for name in settings:
        await tell(servers.postgres, f"ALTER SYSTEM RESET {name}")
    await tell(servers.postgres, "SELECT pg_reload_conf()")


@pytest.fixture(scope="package")
def standby(primary: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with copy_of(primary, tmp_path_factory.mktemp("replica")) as standby:
        yield standby


@pytest.fixture
async def replica(
    sql: Connection,  # noqa: ARG001 - emptied first
    primary: EmbeddedPostgres,
    standby: EmbeddedPostgres,
) -> AsyncIterator[EmbeddedPostgres]:
    """A replica that has everything."""
    await caught_up(primary, standby)
    yield standby
    await resume(standby)


@pytest.fixture
async def app(config: Settings, replica: EmbeddedPostgres) -> AsyncIterator[FastAPI]:
    """An API that has all the time in the world for its replica, which answers."""
    patient = {"replica_wait_seconds": 60.0, "replica_max_lag_seconds": 3600.0}
    async with api_reading_from(config, replica.dsn(), **patient) as app:
        await until(lambda: reasons(app) == [None])
        yield app


@pytest.fixture
async def ada(app: FastAPI) -> AsyncIterator[Person]:
    async with aclosing(await Person.register(app, "ada")) as ada:
        yield ada


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test makes a replica of its own."""
    return tmp_path / "replica"
