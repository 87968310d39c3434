"""Building projections: those without a checkpoint that can be continued, and the views of their definitions."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.definitions import drop_definitions, install_definitions
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild
from projections.posts import POSTS
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, assert_table

NAMES = [projection.name for projection in PROJECTIONS]
VERSIONS = {projection.name: projection.version for projection in PROJECTIONS}


@pytest.fixture
async def lively(blog: Blog, projector: Projector) -> AsyncIterator[Blog]:
    """A blog with something in every read table, some of it not folded yet; built as before when the test ends."""
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.announce()
    await projector.fold()
    await blog.like(await blog.post(ada), ada)
    yield blog
    await projector.build()


async def checkpoints(sql: Connection) -> dict[str, int]:
    rows = await sql.fetch("SELECT projection, version FROM checkpoint")
    return {row["projection"]: row["version"] for row in rows}


async def test_what_is_built_is_not_built_again(lively: Blog, projector: Projector) -> None:
    before = await lively.sql.fetchval("SELECT array_agg(xmin::text) FROM read_post")
    assert await projector.build() == []
    assert await lively.sql.fetchval("SELECT array_agg(xmin::text) FROM read_post") == before


async def test_a_projection_without_a_checkpoint_is_built(
    lively: Blog, projector: Projector, read_side: ReadSide
) -> None:
    await lively.sql.execute("DELETE FROM checkpoint WHERE projection = 'posts'; DELETE FROM read_post")
    assert await projector.build() == ["posts"]
    assert await lively.sql.fetchval("SELECT count(*) FROM read_post") == 2
    await projector.fold()
    await read_side.is_exact()


async def test_a_projection_of_an_earlier_version_is_stepped_until_it_is_built(
    lively: Blog, projector: Projector, read_side: ReadSide
) -> None:
    await lively.sql.execute("UPDATE checkpoint SET version = 0 WHERE projection = 'posts'")
    await projector.fold()
    assert await lively.sql.fetchval("SELECT array_agg(like_count ORDER BY id) FROM read_post") == [1, 1]
    assert await checkpoints(lively.sql) == VERSIONS | {"posts": 0}
    assert await projector.build() == ["posts"]
    assert await checkpoints(lively.sql) == VERSIONS
    await lively.user("eve")
    await read_side.folds(1)
    await read_side.is_exact()


async def test_a_projection_of_a_later_version_is_left_to_the_release_that_made_it(
    lively: Blog, projector: Projector, read_side: ReadSide
) -> None:
    await lively.sql.execute("UPDATE checkpoint SET version = 2 WHERE projection = 'posts'")
    await projector.fold()
    assert await lively.sql.fetchval("SELECT array_agg(like_count) FROM read_post") == [1]
    assert await lively.sql.fetchval("SELECT array_agg(like_count) FROM read_post_rank") == [1, 1]
    assert await projector.build() == []
    assert await checkpoints(lively.sql) == VERSIONS | {"posts": 2}
    assert await lively.sql.fetchval("SELECT array_agg(like_count) FROM read_post") == [1]
    await lively.sql.execute("UPDATE checkpoint SET version = 1 WHERE projection = 'posts'")
    await projector.fold()
    await read_side.is_exact()


async def test_a_database_restored_into_another_cluster_is_built_anew(
    lively: Blog, projector: Projector, read_side: ReadSide
) -> None:
    """The other cluster was ahead: its numbers mean nothing here and would hide every event to come."""
    await lively.sql.execute("UPDATE checkpoint SET system_identifier = 1, snapshot = '9999999:9999999:'")
    assert await projector.fold() == 0
    assert sorted(await projector.build()) == sorted(NAMES)
    await lively.user("eve")
    await read_side.folds(1)
    await read_side.is_exact()


async def test_a_built_projection_stays_paused(lively: Blog, building: Building) -> None:
    await lively.sql.execute("UPDATE checkpoint SET status = 'paused' WHERE projection = 'posts'")
    await rebuild(building, PROJECTIONS)
    paused = await lively.sql.fetch("SELECT projection FROM checkpoint WHERE status = 'paused'")
    assert [row[0] for row in paused] == ["posts"]


async def test_definitions_that_are_installed_are_left_as_they_are(sql: Connection) -> None:
    oids = "SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE relname LIKE 'definition%'"
    before = await sql.fetchval(oids)
    assert await install_definitions(sql, PROJECTIONS) == []
    assert await sql.fetchval(oids) == before


async def test_a_definition_is_replaced_when_its_text_changes(sql: Connection) -> None:
    shorter = [
        replace(table, definition="SELECT 7 AS total") if table.name == "read_post_total" else table
        for table in POSTS.tables
    ]
    changed: Projection = replace(POSTS, tables=tuple(shorter))
    try:
        assert await install_definitions(sql, [changed]) == ["definition_read_post_total"]
        await assert_table(sql, "definition_read_post_total", [{"total": 7}])
    finally:
        assert await install_definitions(sql, PROJECTIONS) == ["definition_read_post_total"]
    await assert_table(sql, "definition_read_post_total", [{"singleton": True, "total": 0}])


async def test_dropped_definitions_are_installed_again(sql: Connection) -> None:
    views = sorted(table.view for projection in PROJECTIONS for table in projection.tables)
    await drop_definitions(sql)
    assert await sql.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE 'definition%'") == 0
    assert sorted(await install_definitions(sql, PROJECTIONS)) == views
