"""Which replicas answer queries: none that is too far behind, gone, or not this primary's; and all that are back."""

import logging
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from time import monotonic

import pytest
from fastapi import FastAPI

from app.demand import Demand
from app.embedded.postgres import EmbeddedPostgres
from app.errors import ProjectionLagging
from app.migrate import migrate
from app.queries.list_posts import ListPosts
from app.queries.reader import Reader
from app.replicas.milestones import read_position
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import Person, anyone
from tests.support.replica import (
    Statements,
    api_reading_from,
    caught_up,
    copy_of,
    pause,
    reasons,
    resume,
    stopped,
    tell,
    until,
)

pytestmark = pytest.mark.usefixtures("sql")

BOUND_SECONDS = 1.0
TRIES = 10  # something else may write at the same moment
FILE_BYTES = 16 * 1024 * 1024


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(entry.levelname, entry.getMessage()) for entry in caplog.records if entry.name == "app.replicas.watch"]


def behind(app: FastAPI) -> float:
    (standing,) = app.state.replicas.standings()
    return float(standing.seconds_behind)


async def shown_later(app: FastAPI) -> None:
    """Wait until the replica is known to show the present moment."""
    now = monotonic()
    await until(lambda: behind(app) < monotonic() - now)


async def posts(app: FastAPI) -> list[str]:
    async with anyone(app) as client:
        answer = await client.get("/posts/")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


async def test_nothing_is_shown_that_is_older_than_the_bound_while_replay_stands_still(
    config: Settings,
    projector: Projector,
    replica: EmbeddedPostgres,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        api_reading_from(config, replica.dsn(), replica_max_lag_seconds=BOUND_SECONDS) as app,
        aclosing(await Person.register(app, "ada")) as ada,
    ):
        await until(lambda: reasons(app) == [None])
        await pause(replica)
        await ada.publish("New")
        await projector.fold()
        folded = monotonic()

        while reasons(app) == [None]:
            asked = monotonic()
            assert await posts(app) == ["New"] or asked - folded <= BOUND_SECONDS
        assert await posts(app) == ["New"]
        await until(lambda: reasons(app) == ["lagging"])
        async with anyone(app) as client:
            ready, metrics = await client.get("/health/ready"), await client.get("/metrics")
        there = Statements(replica)
        await resume(replica)

        async def answered() -> bool:
            assert await posts(app) == ["New"]
            return there.of("read_post") > 0

        await until(answered)

    standing = ready.json()["replicas"][0]
    assert (ready.status_code, standing["answers"], standing["reason"]) == (200, False, "lagging")
    assert 'inkfold_replica_answers{replica="1"} 0.0' in metrics.text
    assert 'inkfold_replica_seconds_behind{replica="1"}' in metrics.text
    place = f"Replica 1 ({replica.folder.sockets}:5432)"
    entries = said(caplog)
    late = entries.index(("WARNING", f"{place} answers no queries until that is over: what it shows may be too old."))
    assert ("INFO", f"{place} answers queries.") in entries[:late]
    assert ("INFO", f"{place} answers queries.") in entries[late:]


async def test_what_an_idle_primary_has_not_let_go_of_does_not_make_its_replica_old(
    config: Settings, replica: EmbeddedPostgres, sql: Connection
) -> None:
    async with api_reading_from(config, replica.dsn()) as app:
        await until(lambda: reasons(app) == [None])
        for _ in range(TRIES):
            await shown_later(app)
            async with sql.transaction():
                await sql.execute("INSERT INTO read_post_like SELECT id, id, '', now() FROM gen_random_uuid() AS id")
                written = await sql.fetchval("SELECT pg_current_wal_insert_lsn()")
                await shown_later(app)
                if await tell(replica, "SELECT pg_last_wal_replay_lsn() < $1", written):
                    return
        pytest.fail("It counts as old until the last byte has come, which nobody waits for.")


async def test_a_replica_has_all_of_a_primary_that_has_begun_a_new_file(sql: Connection, reader: Reader) -> None:
    for _ in range(TRIES):
        switched = await sql.fetchval("SELECT pg_switch_wal()")
        position = await read_position(reader)
        if position.lsn % FILE_BYTES == 0:
            return
        assert position.lsn // FILE_BYTES == switched // FILE_BYTES + 1
    pytest.fail("The primary's position is beyond what can be replayed.")


async def test_an_api_starts_and_answers_without_its_replica(
    config: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_reading_from(config, "postgresql://me:hidden@127.0.0.1:1/inkfold") as app:
        await until(lambda: reasons(app) == ["unreachable"])
        assert await posts(app) == []
    ((level, sentence),) = said(caplog)
    assert (level, "127.0.0.1:1" in sentence, "hidden" in caplog.text) == ("WARNING", True, False)


async def test_the_primary_is_no_replica_of_itself(
    config: Settings, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_reading_from(config, database) as app:
        await until(lambda: reasons(app) == ["no standby"])
        assert await posts(app) == []
    assert [level for level, _ in said(caplog)] == ["ERROR"]


async def test_a_server_of_another_cluster_is_not_asked(
    config: Settings, database: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert database
    with EmbeddedPostgres(folder, settings={"fsync": "off"}) as stranger:
        await migrate(stranger.dsn())
        async with api_reading_from(config, stranger.dsn()) as app:
            await until(lambda: reasons(app) == ["other cluster"])
            assert await posts(app) == []
    assert [level for level, _ in said(caplog)] == ["ERROR"]
    assert "another PostgreSQL cluster than DATABASE_URL; check READ_DATABASE_URL" in caplog.text


@pytest.fixture
def own(primary: EmbeddedPostgres, folder: Path) -> Iterator[EmbeddedPostgres]:
    """A replica that the test may kill or promote."""
    with copy_of(primary, folder) as replica:
        yield replica


async def test_a_replica_that_was_killed_comes_back(
    config: Settings, projector: Projector, own: EmbeddedPostgres, primary: EmbeddedPostgres
) -> None:
    async with (
        api_reading_from(config, own.dsn(), replica_wait_seconds=60.0) as app,
        aclosing(await Person.register(app, "ada")) as ada,
    ):
        await until(lambda: reasons(app) == [None])
        await ada.publish("First")
        await projector.fold()
        assert (await ada.get("/posts/")).json()["total"] == 1

        own.stop("immediate")
        assert (await ada.get("/posts/")).json()["total"] == 1
        await until(lambda: reasons(app) == ["unreachable"])
        await ada.publish("Second")
        await projector.fold()
        assert await posts(app) == ["Second", "First"]

        own.start()
        await until(lambda: reasons(app) == [None])
        there, here = Statements(own), Statements(primary)
        await ada.publish("Third")
        await projector.fold()
        assert (await ada.get("/posts/")).json()["total"] == 3
        assert (there.of("read_post"), here.of("read_post")) == (1, 0)


async def test_what_a_hanging_replica_was_asked_the_primary_answers(
    config: Settings, projector: Projector, own: EmbeddedPostgres
) -> None:
    async with (
        api_reading_from(config, own.dsn(), replica_max_lag_seconds=60.0) as app,
        aclosing(await Person.register(app, "ada")) as ada,
    ):
        await until(lambda: reasons(app) == [None])
        await ada.publish("Seen")
        await projector.fold()
        await ada.get("/posts/")
        with stopped(own):
            assert await posts(app) == ["Seen"]
            await until(lambda: reasons(app) == ["unreachable"])
            assert await posts(app) == ["Seen"]
        await until(lambda: reasons(app) == [None])


async def test_a_replica_that_was_promoted_is_not_asked_any_more(
    config: Settings, projector: Projector, own: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        api_reading_from(config, own.dsn(), replica_max_lag_seconds=60.0) as app,
        aclosing(await Person.register(app, "ada")) as ada,
    ):
        await until(lambda: reasons(app) == [None])
        await ada.publish("Here")
        await projector.fold()
        await ada.get("/posts/")
        await tell(own, "SELECT pg_promote()")
        await tell(own, "UPDATE read_post SET title = 'There'")

        assert await posts(app) == ["Here"]
        await until(lambda: reasons(app) == ["no standby"])
        assert await posts(app) == ["Here"]
    assert said(caplog)[-1][0] == "ERROR"


async def test_a_replica_is_not_believed_because_it_was_up_to_date_a_moment_ago(
    config: Settings, projector: Projector, replica: EmbeddedPostgres
) -> None:
    async with (
        api_reading_from(config, replica.dsn(), replica_max_lag_seconds=BOUND_SECONDS) as app,
        aclosing(await Person.register(app, "ada")) as ada,
    ):
        await until(lambda: reasons(app) == [None])
        await pause(replica)
        await ada.publish("New")
        await projector.fold()
        await until(lambda: behind(app) > BOUND_SECONDS)
        (asked,) = app.state.replicas._replicas
        with pytest.raises(ProjectionLagging):
            await asked.fetch(ListPosts(viewer_id=None, limit=20), Demand(projections=("posts",)))


async def follow(standby: EmbeddedPostgres, primary: EmbeddedPostgres | None) -> None:
    """Let a standby follow another primary, or none."""
    conninfo = f"host={primary.folder.sockets} user=postgres" if primary else ""
    await tell(standby, f"ALTER SYSTEM SET primary_conninfo = '{conninfo}'")
    await tell(standby, "SELECT pg_reload_conf()")


async def test_a_standby_of_the_former_primary_is_asked_once_it_follows_the_new_one(
    config: Settings, own: EmbeddedPostgres, primary: EmbeddedPostgres, tmp_path: Path
) -> None:
    with copy_of(primary, tmp_path / "second") as second:
        await follow(second, None)
        await caught_up(primary, own)
        await tell(own, "SELECT pg_promote()")
        async with api_reading_from(config, second.dsn(), database_url=own.dsn()) as app:
            await until(lambda: reasons(app) == ["other timeline"])
            assert await posts(app) == []

            await follow(second, own)
            await caught_up(own, second)
            await tell(own, "CHECKPOINT")
            await caught_up(own, second)
            await tell(second, "CHECKPOINT")
            await until(lambda: reasons(app) == [None])
            there = Statements(second)
            assert await posts(app) == []
            assert there.of("read_post") == 1
