"""A dump that is restored into a fresh cluster: nothing of it is lost or doubled, nor what is written there at once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from fastapi import FastAPI

from app.db import ROLES, connect_building
from app.embedded.cluster import run_client
from app.embedded.postgres import EmbeddedPostgres
from app.main import create_app
from app.migrate import migrate
from app.settings import Settings
from projections.projector import Projector
from tests.conftest import Servers
from tests.faults.conftest import PATIENCE_SECONDS
from tests.support.people import Person, SignUp
from tests.support.projection_spec import differences
from tests.support.waiting import until
from tests.support.worker_process import worker_process


@pytest.fixture
def fresh() -> Iterator[EmbeddedPostgres]:
    """A cluster that nothing has been written to."""
    with (
        TemporaryDirectory(prefix="inkfold-") as folder,
        EmbeddedPostgres(Path(folder), settings={"fsync": "off", "full_page_writes": "off"}) as postgres,
    ):
        yield postgres


def restore(source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
    dump = target.folder.path / "blog.dump"
    run_client("pg_dump", "--format=custom", f"--file={dump}", "inkfold", sockets=source.folder.sockets)
    roles = " ".join(f"CREATE ROLE {role};" for role in ROLES)
    run_client("psql", f"--command={roles}", "postgres", sockets=target.folder.sockets)
    run_client("pg_restore", "--exit-on-error", "--dbname=inkfold", str(dump), sockets=target.folder.sockets)


@asynccontextmanager
async def serving(config: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(config.model_copy(update={"consistency_wait_seconds": PATIENCE_SECONDS}))
    async with app.router.lifespan_context(app):
        yield app


def at(app: FastAPI, person: Person) -> httpx.AsyncClient:
    """Return a client of another API, signed in as that person."""
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://inkfold.test", headers=person.headers)


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def shown(client: httpx.AsyncClient) -> dict[str, tuple[int, bool]]:
    """Return each post's likes, and whether the client's person likes it."""
    answer = await client.get("/posts/")
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"])
    return {item["id"]: (item["like_count"], item["liked_by_me"]) for item in answer.json()["items"]}


async def test_fault_23_a_dump_restored_into_a_fresh_cluster_loses_and_doubles_nothing(
    signed_up: SignUp, projector: Projector, servers: Servers, fresh: EmbeddedPostgres, config: Settings
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    first, second = await ada.publish("First"), await ada.publish("Second")
    await bob.put(f"/posts/{first}/like/")
    await projector.fold()
    await ada.put(f"/posts/{second}/like/")  # in the dump, and not folded
    restore(servers.postgres, fresh)
    assert await migrate(fresh.dsn()) == []
    elsewhere = config.model_copy(update={"database_url": fresh.dsn()})
    async with serving(elsewhere) as app, at(app, ada) as ada_there, at(app, bob) as bob_there:
        assert (await bob_there.put(f"/posts/{second}/like/")).status_code == 200
        assert (await ada_there.put(f"/posts/{first}/like/")).status_code == 200
        third = (await ada_there.post("/posts/", json={"title": "Third", "content": "Words."})).json()["id"]
        assert not await is_ready(bob_there)
        assert (await bob_there.get("/posts/")).status_code == 503  # not what the tables of the dump say
        with worker_process(database_url=fresh.dsn()):
            await until(lambda: is_ready(bob_there))
            assert await shown(bob_there) == {str(first): (2, True), str(second): (2, True), third: (0, False)}
            assert (await bob_there.put(f"/posts/{third}/like/")).status_code == 200
            assert await shown(bob_there) == {str(first): (2, True), str(second): (2, True), third: (1, True)}
            assert (await ada_there.get("/auth/me/")).json()["likes_received"] == 5
            assert await differences(partial(connect_building, elsewhere)) == []
