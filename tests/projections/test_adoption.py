"""A dump restored into another cluster: nothing is lost or doubled, whatever its transaction ids say there."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from app.db import ROLES, connect_building
from app.embedded.cluster import run_client
from app.embedded.postgres import EmbeddedPostgres
from app.migrate import migrate
from app.settings import Settings
from projections.engine.adoption import adopt
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.rebuild import rebuild
from projections.engine.releases import unbuilt
from projections.engine.shadow import shadow_schemas
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.conftest import Servers
from tests.projections.conftest import Connect
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide, differences, dump
from tests.support.rebuilding import begun, held_up, until_filling_waits

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

#: Half of the log has numbers that are far ahead of this cluster's, the other half some that are long past.
_OTHER_NUMBERS = """
UPDATE event SET payload = payload || '{"foreign": true}';
UPDATE event SET tx = (tx::text::numeric + 9000000)::text::xid8 WHERE position % 2 = 0;
UPDATE event SET tx = (position % 100 + 3)::text::xid8 WHERE position % 2 = 1;
INSERT INTO parked_event (projection, tx, position, type, subject_id, actor_id, payload, at, error)
SELECT 'ranking', tx, position, type, subject_id, actor_id, payload, at, 'no room' FROM event
"""
FOREIGN = "SELECT count(*) FROM event WHERE payload ? 'foreign'"


@pytest.fixture
async def restored(blog: Blog, projector: Projector) -> AsyncIterator[Blog]:
    """A blog with a history in another cluster, which was ahead of this one and had not folded all of it."""
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.subscribe(bob, ada)
    await blog.like(await blog.post(ada), bob)
    await projector.fold()
    await blog.like(await blog.post(ada), ada)
    await blog.announce()
    await blog.sql.execute(_OTHER_NUMBERS)
    await blog.sql.execute("UPDATE checkpoint SET system_identifier = 1, snapshot = '9000000:9000500:9000123'")
    yield blog
    await projector.build()


async def test_nothing_is_lost_or_doubled_whenever_it_was_written(
    restored: Blog, building: Building, *, connect: Connect, projector: Projector, read_side: ReadSide
) -> None:
    """Before the adoption, across it, while the tables are filled, across that, and after it."""
    sql = restored.sql
    early, late = await connect(), await connect()
    fans = await restored.users(6)
    post = await restored.post(fans[0])
    await restored.like(post, fans[0])
    open_before, open_beyond = early.transaction(), late.transaction()
    for connection, transaction, fan in ((early, open_before, fans[1]), (late, open_beyond, fans[2])):
        await transaction.start()
        await like_at(connection, NOON, post=post, user=fan)
    async with held_up(await connect(), table="subscriptions") as hold, begun(building) as running:
        await until_filling_waits(sql, running=running)
        await restored.like(post, fans[3])
        await open_before.commit()
        assert await projector.fold() == 0
        await hold.release()
        await running
    await restored.like(post, fans[4])
    await open_beyond.commit()
    await read_side.folds(2)
    assert await sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id) == 5
    assert await sql.fetchval(FOREIGN) == 0
    assert await sql.fetchval("SELECT count(*) FROM parked_event") == 0
    await read_side.is_exact()


async def test_what_is_written_between_adoption_and_filling_is_in_the_tables_once(
    restored: Blog, cluster: int, building: Building, connect: Connect, read_side: ReadSide
) -> None:
    sql, held = restored.sql, await connect()
    fan, post = await restored.user(), await restored.post(await restored.user())
    async with held.transaction():
        await like_at(held, NOON, post=post, user=fan)
        assert await adopt(sql, cluster)
    await restored.like(post, await restored.user())
    left = [row[0] for row in await sql.fetch("SELECT type FROM event ORDER BY position")]
    assert left == ["PostLiked", "UserRegistered", "PostLiked"]
    assert await sql.fetchval("SELECT count(*) FROM parked_event") == 0
    assert await sql.fetchval("SELECT count(*) FROM checkpoint") == 0
    await rebuild(building, PROJECTIONS)
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_every_projection_is_to_be_built_and_none_is_stepped_before(
    restored: Blog, projector: Projector, building: Building, read_side: ReadSide
) -> None:
    shown = await dump(restored.sql, with_row_versions=True)
    await restored.post(await restored.user())
    assert await projector.fold() == 0
    assert await dump(restored.sql, with_row_versions=True) == shown
    assert await unbuilt(restored.sql, PROJECTIONS) == list(PROJECTIONS)
    await rebuild(building, [RANKING])
    assert RANKING not in await unbuilt(restored.sql, PROJECTIONS)
    assert await differences(building, [RANKING]) == []
    await restored.like(await restored.post(await restored.user()), await restored.user())
    await projector.fold()
    assert sorted(await projector.build()) == sorted(each.name for each in PROJECTIONS if each is not RANKING)
    await projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_copy_of_the_cluster_that_is_behind_is_another_cluster_too(
    restored: Blog, cluster: int, projector: Projector, read_side: ReadSide
) -> None:
    """A base backup has its original's identifier; a dump of the original is ahead of it."""
    await restored.sql.execute("UPDATE checkpoint SET system_identifier = $1", cluster)
    assert await projector.fold() == 0
    assert sorted(await projector.build()) == sorted(projection.name for projection in PROJECTIONS)
    assert await restored.sql.fetchval(FOREIGN) == 0
    await restored.user("eve")
    await read_side.folds(1)
    await read_side.is_exact()


async def test_what_a_rebuild_had_left_in_the_other_cluster_is_dropped(
    restored: Blog, building: Building, read_side: ReadSide
) -> None:
    sql = restored.sql
    await sql.execute("CREATE SCHEMA rebuilding_9000444 AUTHORIZATION inkfold_worker CREATE TABLE read_post (id uuid)")
    await rebuild(building, PROJECTIONS)
    assert await shadow_schemas(sql) == []
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_database_that_has_always_been_here_is_not_adopted(
    blog: Blog, cluster: int, projector: Projector
) -> None:
    await blog.post(await blog.user())
    before = await blog.sql.fetch("SELECT * FROM event")
    assert not await adopt(blog.sql, cluster)
    assert await blog.sql.fetch("SELECT * FROM event") == before
    assert await projector.fold() == 2


@pytest.fixture
async def elsewhere(
    blog: Blog, servers: Servers, config: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Connection, Building]]:
    """A dump of the database, restored into a new cluster by PostgreSQL's own programs."""
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.like(await blog.post(ada), bob)
    folder: Path = tmp_path_factory.mktemp("elsewhere")
    with EmbeddedPostgres(folder / "pg", settings={"fsync": "off"}) as server:
        dumped = folder / "dump.sql"
        dumped.write_text(run_client("pg_dump", "inkfold", sockets=servers.postgres.folder.sockets), "utf-8")
        roles = " ".join(f"CREATE ROLE {role};" for role in ROLES)
        run_client("psql", "-qc", roles, "inkfold", sockets=server.folder.sockets)
        restore = ("-q", "-v", "ON_ERROR_STOP=1", "-f", str(dumped), "inkfold")
        run_client("psql", *restore, sockets=server.folder.sockets)
        assert await migrate(server.dsn()) == []
        sql = await asyncpg.connect(server.dsn())
        yield sql, partial(connect_building, config.model_copy(update={"database_url": server.dsn()}))
        await sql.close()


async def test_a_real_dump_in_a_new_cluster_is_built_there_and_goes_on(
    elsewhere: tuple[Connection, Building], sql: Connection
) -> None:
    there, connect = elsewhere
    assert await system_identifier(there) != await system_identifier(sql)
    assert await unbuilt(there, PROJECTIONS) == list(PROJECTIONS)
    await rebuild(connect, PROJECTIONS)
    assert await there.fetchval("SELECT like_count FROM read_post") == 1
    assert await differences(connect) == []
    post, fan = await there.fetchval("SELECT id FROM posts"), await there.fetchval("SELECT author_id FROM posts")
    async with there.transaction():
        await there.execute("INSERT INTO likes (id, user_id, post_id) VALUES (gen_random_uuid(), $1, $2)", fan, post)
        await there.execute(
            "INSERT INTO event (type, subject_id, actor_id, payload) "
            "SELECT 'PostLiked', $1, $2, jsonb_build_object('author_id', $2::uuid, 'liked_at', created_at) "
            "FROM likes WHERE user_id = $2",
            post,
            fan,
        )
    assert await differences(connect) == []
    assert await there.fetchval("SELECT like_count FROM read_post") == 2
