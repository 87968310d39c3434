"""Databases whose owner is no superuser: migrated and served all the same, or refused with what is to be done."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from fastapi import FastAPI

from app.db import COMMAND_ROLE, READER_ROLE, ROLES, WORKER_ROLE
from app.embedded.cluster import programs, server_environment
from app.embedded.postgres import EmbeddedPostgres
from app.main import create_app
from app.migrate import migrate
from app.reachability import UnreachableError
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.catalog import schema_at
from tests.support.people import Person

READ_TABLES = sorted(table.name for projection in PROJECTIONS for table in projection.tables)
OWNERS = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname = ANY ($1::text[])"

_numbers = count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedPostgres]:
    """Another PostgreSQL than the one that all tests share: here, nobody has made the roles."""
    with TemporaryDirectory(prefix="inkfold-") as folder:
        quick = {"fsync": "off", "full_page_writes": "off"}
        with EmbeddedPostgres(Path(folder) / "pg", settings=quick) as postgres:
            yield postgres


@pytest.fixture
async def admin(cluster: EmbeddedPostgres) -> AsyncIterator[Connection]:
    """The administrator, in a cluster without Inkfold's roles."""
    connection = await asyncpg.connect(cluster.dsn("postgres"))
    yield connection
    made = "SELECT datname FROM pg_database WHERE datname LIKE 'blog\\_%'"
    for row in await connection.fetch(made):
        await connection.execute(f"DROP DATABASE {row[0]} WITH (FORCE)")
    accounts = "SELECT rolname FROM pg_roles WHERE rolname ~ '^(inkfold|owner)_'"
    for row in await connection.fetch(accounts):
        await connection.execute(f"DROP OWNED BY {row[0]}; DROP ROLE {row[0]}")
    await connection.close()


async def database(admin: Connection, cluster: EmbeddedPostgres, options: str = "CREATEROLE") -> tuple[str, str]:
    """Make an account that owns a database; its name, and the URL with which it signs in."""
    number = next(_numbers)
    owner = f"owner_{number}"
    await admin.execute(f"CREATE ROLE {owner} LOGIN {options}")
    await admin.execute(f"CREATE DATABASE blog_{number} OWNER {owner}")
    return owner, url_of(cluster, owner, f"blog_{number}")


def url_of(cluster: EmbeddedPostgres, account: str, name: str) -> str:
    return cluster.dsn(name).replace("postgres@", f"{account}@", 1)


async def refusal(url: str) -> str:
    before = await schema_at(url)
    with pytest.raises(UnreachableError) as caught:
        await migrate(url)
    assert await schema_at(url) == before
    return str(caught.value)


async def works(url: str, config: Settings) -> bool:
    """Register, follow, publish, like and read, all the way through a worker."""
    own = config.model_copy(update={"database_url": url})
    app: FastAPI = create_app(own)
    async with app.router.lifespan_context(app):
        projector = await Projector.open(own)
        try:
            await projector.build()
            ada, bob = await Person.register(app, "ada"), await Person.register(app, "bob")
            await bob.put(f"/users/{ada.id}/subscribe/")
            post = await ada.publish("On engines")
            await bob.put(f"/posts/{post}/like/")
            await projector.announce()
            await projector.fold()
            unread = (await bob.get("/notifications/")).json()["unread_count"]
            likes = (await ada.get(f"/posts/{post}/")).json()["like_count"]
            for person in (ada, bob):
                await person.aclose()
        finally:
            await projector.close()
    return (unread, likes) == (1, 1)


async def test_an_owner_that_is_no_superuser_migrates_and_serves(
    admin: Connection, cluster: EmbeddedPostgres, config: Settings
) -> None:
    _, url = await database(admin, cluster)
    await migrate(url)
    assert await works(url, config)


async def test_an_owner_that_may_make_no_roles_is_told_what_to_ask_for(
    admin: Connection, cluster: EmbeddedPostgres
) -> None:
    owner, url = await database(admin, cluster, "NOCREATEROLE")
    assert f"ALTER ROLE {owner} CREATEROLE; then migrate again." in await refusal(url)
    await admin.execute(f"ALTER ROLE {owner} CREATEROLE")
    await migrate(url)
    await admin.execute(f"ALTER ROLE {owner} NOCREATEROLE")
    assert await migrate(url) == []


async def test_a_second_owner_in_a_cluster_is_told_to_be_given_the_roles(
    admin: Connection, cluster: EmbeddedPostgres, config: Settings
) -> None:
    _, first = await database(admin, cluster)
    await migrate(first)
    owner, second = await database(admin, cluster)
    asked_for = f"GRANT {', '.join(ROLES)} TO {owner}"
    assert f"{asked_for}; then migrate again." in await refusal(second)
    await admin.execute(asked_for)
    await migrate(second)
    assert await works(second, config)


async def test_whoever_does_not_own_the_database_is_told_to_have_it(
    admin: Connection, cluster: EmbeddedPostgres
) -> None:
    _, url = await database(admin, cluster)
    name = url.partition("?")[0].rpartition("/")[2]
    stranger, _ = await database(admin, cluster)
    asked_for = f"ALTER DATABASE {name} OWNER TO {stranger}"
    assert f"{asked_for}; then migrate again." in await refusal(url_of(cluster, stranger, name))
    await admin.execute(asked_for)
    assert await migrate(url_of(cluster, stranger, name))


async def test_what_an_owner_restores_from_a_dump_is_handed_to_the_worker_again(
    admin: Connection, cluster: EmbeddedPostgres, config: Settings
) -> None:
    owner, url = await database(admin, cluster)
    await migrate(url)
    await admin.execute(f"CREATE DATABASE blog_restored OWNER {owner}")
    restored = url_of(cluster, owner, "blog_restored")
    await asyncio.to_thread(copy, url, restored)

    await migrate(restored)

    connection = await asyncpg.connect(restored)
    try:
        assert [row[0] for row in await connection.fetch(OWNERS, READ_TABLES)] == [WORKER_ROLE]
    finally:
        await connection.close()
    assert await schema_at(restored) == await schema_at(url)
    assert await works(restored, config)


def copy(url: str, into: str) -> None:
    def run(program: str, *options: str, given: str = "") -> str:
        command = [str(programs() / program), *options]
        done = subprocess.run(
            command, input=given, env=server_environment(), capture_output=True, text=True, check=True
        )
        return done.stdout

    run("psql", "--no-psqlrc", "--quiet", into, given=run("pg_dump", url))


async def test_a_server_that_is_too_old_is_told_so(
    admin: Connection, cluster: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = await database(admin, cluster)
    monkeypatch.setattr("app.database_rights._OLDEST_POSTGRES", 99)
    assert "is too old: 99 or later is needed." in await refusal(url)


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        (
            "CREATE FUNCTION public.has_database_privilege(name, name, text) RETURNS bool LANGUAGE sql RETURN true",
            "function public.has_database_privilege(name,name,text)",
        ),
        (
            "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
            "operator public.=(text,text)",
        ),
    ],
    ids=["function", "operator"],
)
async def test_what_the_workers_account_has_planted_is_told_and_not_run_by_the_owner(
    admin: Connection, cluster: EmbeddedPostgres, planted: str, named: str
) -> None:
    _, url = await database(admin, cluster)
    await migrate(url)
    connection = await asyncpg.connect(url, server_settings={"role": WORKER_ROLE})
    await connection.execute("CREATE FUNCTION pg_temp.own() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert await migrate(url) == []
    await connection.execute(planted)
    assert f"might run it as the owner: {named}." in await refusal(url)
    await connection.close()


@pytest.mark.parametrize("name", ["the account", COMMAND_ROLE, READER_ROLE, WORKER_ROLE])
async def test_a_schema_that_bears_a_name_of_ours_is_never_looked_into(
    admin: Connection, cluster: EmbeddedPostgres, config: Settings, name: str
) -> None:
    owner, url = await database(admin, cluster)
    schema = owner if name == "the account" else name
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE SCHEMA {schema}")

    await migrate(url)
    if schema in ROLES:
        await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {schema}")
    for table in ("users", "read_post", "checkpoint"):
        await connection.execute(f"CREATE TABLE {schema}.{table} ()")
        if schema in ROLES:
            await connection.execute(f"GRANT ALL ON {schema}.{table} TO {schema}")

    assert await works(url, config)
    assert await connection.fetchval("SELECT count(*) FROM public.users") == 2
    await connection.close()
