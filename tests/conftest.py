"""The real PostgreSQL and Redis that every test runs against, started once; the database is emptied for each test."""

import os
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx
import hypothesis
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from app.command_store import CommandStore
from app.db import open_commands, open_query_pool
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.main import create_app
from app.migrate import migrate
from app.queries.reader import Reader
from app.settings import Settings, settings
from projections.engine.checkpoint import Connection
from projections.engine.shadow import shadow_schemas
from projections.projector import Projector
from tests.support.people import Person, SignUp
from tests.support.running_worker import running_worker

# How long an example takes says nothing on a machine that others use, too.
hypothesis.settings.register_profile("inkfold", deadline=None)
hypothesis.settings.load_profile("inkfold")

#: People of the same name sign in again and again here; the tests of the limits set their own.
UNLIMITED = dict.fromkeys(
    (
        "RATE_LIMIT_LOGIN",
        "RATE_LIMIT_LOGIN_ADDRESS",
        "RATE_LIMIT_REGISTER",
        "RATE_LIMIT_WRITES",
        "RATE_LIMIT_READS",
    ),
    "",
)
# Only tables that hold something. To truncate one takes two milliseconds; to delete a few rows, next to nothing.
# The locks wait for whoever still writes, a killed worker's last step for one.
EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE
    filled regclass[] := (
        SELECT coalesce(array_agg(oid), '{}')
        FROM pg_class
        WHERE relkind = 'r'
          AND relnamespace = 'public'::regnamespace
          AND relname NOT IN ('aerich', 'checkpoint')
          AND pg_relation_size(oid) > 0
    );
    one regclass;
BEGIN
    FOREACH one IN ARRAY filled LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', one);
    END LOOP;
    FOREACH one IN ARRAY filled LOOP
        IF pg_relation_size(one) > 32_768 THEN
            EXECUTE format('TRUNCATE %s CASCADE', one);
        ELSE
            EXECUTE format('DELETE FROM %s', one);
        END IF;
    END LOOP;
END
$$;
RESET session_replication_role;
INSERT INTO read_post_total VALUES (true, 0);
UPDATE checkpoint
SET snapshot = pg_current_snapshot(), status = 'running', error = NULL, failures = 0, retry_at = NULL;
"""

#: Files that last long begin first, or the last of them would run side by side with nothing.
LONG = ("tests/bench/test_bench.py", "tests/soak/", "tests/journeys/", "tests/hostile")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long files come first, in whichever process; otherwise keep the order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Run one more process than there are processors: a test waits for servers a fifth of its time."""
    return (yield) + 1


@dataclass(frozen=True)
class Servers:
    """The servers under test, to be stopped and started by tests of their absence."""

    postgres: EmbeddedPostgres
    redis: EmbeddedRedis


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with TemporaryDirectory(prefix="inkfold-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "pg", settings={"fsync": "off", "full_page_writes": "off"})
        redis = EmbeddedRedis(Path(folder) / "redis")
        with postgres, redis:
            yield Servers(postgres, redis)


@pytest.fixture(scope="session")
def config(servers: Servers) -> Settings:
    os.environ["DATABASE_URL"] = servers.postgres.dsn()
    os.environ["REDIS_URL"] = servers.redis.url
    os.environ["SECRET_KEY"] = "a-secret-that-only-these-tests-know"
    os.environ |= UNLIMITED
    settings.cache_clear()
    return settings()


@pytest.fixture(scope="session")
async def migrated(config: Settings) -> AsyncIterator[Projector]:
    await migrate(config.database_url)
    projector = await Projector.open(config)
    await projector.build()
    yield projector
    await projector.close()


@pytest.fixture
async def sql(config: Settings, migrated: Projector) -> AsyncIterator[Connection]:
    """A connection as the owner of the tables, to an empty database."""
    connection = await asyncpg.connect(config.database_url)
    for schema in await shadow_schemas(connection):
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
    await connection.execute(EMPTY)
    await migrated.redis.flushall()
    yield connection
    await connection.close()


@pytest.fixture
def database(config: Settings, sql: Connection) -> str:  # noqa: ARG001 - emptied first
    """The URL of an empty database at the newest migration."""
    return config.database_url


@pytest.fixture
def projector(sql: Connection, migrated: Projector) -> Projector:  # noqa: ARG001 - emptied first
    """A worker's inside, that folds when told to."""
    return migrated


@pytest.fixture(scope="session")
async def commands(config: Settings, migrated: Projector) -> AsyncIterator[CommandStore]:
    """A store like the API's, whose rings the projector passes on."""
    models = await open_commands(config)
    yield CommandStore(
        models,
        cache=migrated.cache,
        doorbell=migrated.store._doorbell,
        pool_size=config.command_pool_size,
        pool_timeout_seconds=config.pool_timeout_seconds,
    )
    await models.close_connections()


@pytest.fixture
async def worker(sql: Connection, config: Settings) -> AsyncIterator[None]:  # noqa: ARG001 - emptied first
    """A real arq worker that runs beside the test."""
    async with running_worker(config):
        yield


@pytest.fixture
async def redis(sql: Connection, config: Settings) -> AsyncIterator[Redis]:  # noqa: ARG001 - emptied first
    client: Redis = Redis.from_url(config.redis_url)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
async def reader_pool(config: Settings, migrated: Projector) -> AsyncIterator[asyncpg.Pool]:  # noqa: ARG001
    pool = await open_query_pool(config)
    yield pool
    await pool.close()


@pytest.fixture
def reader(sql: Connection, reader_pool: asyncpg.Pool) -> Reader:  # noqa: ARG001 - emptied first
    return Reader(reader_pool, timeout_seconds=5)


@pytest.fixture(scope="session")
async def application(config: Settings, migrated: Projector) -> AsyncIterator[FastAPI]:  # noqa: ARG001
    app = create_app()
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(sql: Connection, application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ARG001
    """An anonymous client of the API."""
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://inkfold.test") as client:
        yield client


@pytest.fixture
async def signed_up(api: httpx.AsyncClient, application: FastAPI) -> AsyncIterator[SignUp]:  # noqa: ARG001
    """Registers and signs in people: `ada = await signed_up("ada")`."""
    people: list[Person] = []

    async def sign_up(username: str) -> Person:
        person = await Person.register(application, username)
        people.append(person)
        return person

    yield sign_up
    for person in people:
        await person.aclose()
