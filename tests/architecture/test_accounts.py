"""The accounts that compose gives the API and the worker: with them all of it works, and nothing besides."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI

from app.db import COMMAND_ROLE, READER_ROLE, ROLES, WORKER_ROLE, connect_building
from app.embedded.cluster import programs, server_environment
from app.main import create_app
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.engine.locks import lock
from projections.engine.rebuild import rebuild
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.conftest import Servers
from tests.support.compose import GIVEN, SERVICES, file_of, filled
from tests.support.people import Person
from tests.support.projection_spec import differences
from tests.support.waiting import until

API, WORKER = "inkfold_api_login", "inkfold_worker_login"
LOGINS = {"api": API, "worker": WORKER}

Run = Callable[..., subprocess.CompletedProcess[str]]
Login = Callable[[str], Settings]


@pytest.fixture
async def make_accounts(servers: Servers, sql: Connection, tmp_path: Path) -> AsyncIterator[Run]:
    """Runs what compose runs, on the servers under test."""
    script = tmp_path / "accounts.sql"
    script.write_text(file_of("accounts"), "utf-8")
    environment = {
        **server_environment(),
        "PGHOST": str(servers.postgres.folder.sockets),
        "PGUSER": "postgres",
        "PGDATABASE": "inkfold",
        "API_DATABASE_PASSWORD": GIVEN,
        "WORKER_DATABASE_PASSWORD": GIVEN,
    }

    def run(*, without: str = "") -> subprocess.CompletedProcess[str]:
        given = {name: value for name, value in environment.items() if name != without}
        _, *options = [word for word in SERVICES["accounts"]["entrypoint"] if not word.startswith("--file=")]
        command = [str(programs() / "psql"), *options, f"--file={script}"]
        return subprocess.run(command, env=given, capture_output=True, text=True, check=False)

    yield run
    for login in (API, WORKER):
        await sql.execute(f"DROP ROLE IF EXISTS {login}")


@pytest.fixture
def login(make_accounts: Run, config: Settings) -> Login:
    """Gives the settings of a process that signs in with such an account."""
    done = make_accounts()
    assert (done.returncode, done.stderr) == (0, "")

    def login(account: str) -> Settings:
        url = config.database_url.replace("postgres@", f"{account}@", 1)
        assert url != config.database_url
        return config.model_copy(update={"database_url": url})

    return login


@asynccontextmanager
async def serving(config: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(config)
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def working(config: Settings) -> AsyncIterator[Projector]:
    projector = await Projector.open(config)
    try:
        yield projector
    finally:
        await projector.close()


@pytest.mark.parametrize("service", LOGINS)
def test_each_service_signs_in_with_the_account_made_for_it(service: str) -> None:
    url = filled(SERVICES[service]["environment"]["DATABASE_URL"])

    assert url == f"postgresql://{LOGINS[service]}:{GIVEN}@postgres:5432/inkfold"


async def test_accounts_can_be_made_again_and_again(make_accounts: Run, sql: Connection) -> None:
    for _ in range(2):
        done = make_accounts()
        assert (done.returncode, done.stderr) == (0, "")

    passwords = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY ($1::text[])"
    stored = {row["rolname"]: row["rolpassword"] for row in await sql.fetch(passwords, [API, WORKER])}
    assert stored.keys() == {API, WORKER}
    assert all(password.startswith("SCRAM-SHA-256$") for password in stored.values())


async def test_no_other_session_sees_a_password_being_set(
    make_accounts: Run, sql: Connection, config: Settings
) -> None:
    assert make_accounts().returncode == 0
    held = await asyncpg.connect(config.database_url)
    transaction = held.transaction()
    await transaction.start()
    await held.execute(f"ALTER ROLE {API} CONNECTION LIMIT 50")
    again = asyncio.create_task(asyncio.to_thread(make_accounts))

    async def waits() -> bool:
        return bool(await sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    await until(waits)
    shown = await sql.fetchval("SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    await transaction.rollback()
    await held.close()
    await again
    assert "CONNECTION LIMIT" in shown
    assert GIVEN not in shown


async def test_a_missing_password_makes_no_account(make_accounts: Run, sql: Connection) -> None:
    assert make_accounts(without="WORKER_DATABASE_PASSWORD").returncode != 0
    assert await sql.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1::text[])", [API, WORKER]) == 0


async def test_an_account_by_itself_may_nothing(login: Login, sql: Connection) -> None:  # noqa: ARG001 - emptied first
    for account in (API, WORKER):
        connection = await asyncpg.connect(login(account).database_url)
        try:
            for statement in ("SELECT FROM posts", "SELECT FROM read_post", "SELECT FROM event", "CREATE TABLE t ()"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()


@pytest.mark.parametrize(("account", "roles"), [(API, {COMMAND_ROLE, READER_ROLE}), (WORKER, {WORKER_ROLE})])
async def test_an_account_may_take_on_its_own_roles_only(login: Login, account: str, roles: set[str]) -> None:
    url = login(account).database_url
    taken = set()
    for role in (*ROLES, "postgres", "pg_read_all_data"):
        try:
            connection = await asyncpg.connect(url, server_settings={"role": role})
        except asyncpg.InsufficientPrivilegeError:
            continue
        taken.add(role)
        await connection.close()
    assert taken == roles


async def test_api_and_worker_do_all_they_do_with_their_accounts(login: Login, sql: Connection) -> None:
    async with serving(login(API)) as app, working(login(WORKER)) as projector:
        ada, bob = await Person.register(app, "ada"), await Person.register(app, "bob")
        assert (await bob.put(f"/users/{ada.id}/subscribe/")).status_code == 200
        post = await ada.publish("On engines")
        assert (await bob.put(f"/posts/{post}/like/")).status_code == 200
        await projector.announce()
        await projector.fold()

        assert (await bob.get("/notifications/")).json()["unread_count"] == 1
        assert (await bob.get(f"/posts/{post}/")).json()["like_count"] == 1
        assert (await bob.post("/notifications/read-all/")).status_code == 200
        assert (await ada.patch(f"/posts/{post}/", json={"title": "On difference engines"})).status_code == 200
        assert (await bob.get("/health/ready")).status_code in {200, 503}
        assert (await bob.get("/metrics")).status_code == 200

        building = partial(connect_building, login(WORKER))
        await rebuild(building, PROJECTIONS)
        assert await differences(building) == []
        assert await projector.upkeep.verify() == 0
        await projector.upkeep.prune()
        assert (await ada.delete(f"/posts/{post}/")).status_code == 204
        await projector.fold()
        assert await sql.fetchval("SELECT count(*) FROM read_post") == 0
        for person in (ada, bob):
            await person.aclose()


@pytest.mark.parametrize(
    "command",
    ["status", "rebuild --all --dry-run", "rebuild --discard", "pause posts", "resume posts", "parked list", "prune"],
)
async def test_projections_are_looked_after_with_the_workers_account(
    login: Login,
    sql: Connection,  # noqa: ARG001 - emptied first
    command: str,
) -> None:
    own = login(WORKER)
    environment = os.environ | {
        "DATABASE_URL": own.database_url,
        "REDIS_URL": own.redis_url,
        "SECRET_KEY": own.secret_key.get_secret_value(),
    }
    program = [sys.executable, "-m", "app.cli", "projections", *command.split()]
    done = await asyncio.to_thread(
        subprocess.run, program, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_worker_may_end_a_session_of_another_that_hangs(login: Login, sql: Connection) -> None:
    hanging, other = await connect_building(login(WORKER)), await connect_building(login(WORKER))
    try:
        assert await lock(hanging, ["posts"]) == ["posts"]
        assert await lock(other, ["posts"]) == []  # it looks for who hangs, which takes the right to see and to end
        pid = await hanging.fetchval("SELECT pg_backend_pid()")
        async with other.transaction():
            await other.execute("SET LOCAL ROLE NONE")
            assert await other.fetchval("SELECT pg_terminate_backend($1, 10000)", pid) is True
        assert await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 0
    finally:
        hanging.terminate()
        await other.close()
