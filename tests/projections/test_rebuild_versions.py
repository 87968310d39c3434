"""A release with another version of a projection: the worker builds it beside the tables that are read meanwhile."""

from dataclasses import replace

import pytest

from app.commands.posts import WrittenPost
from app.settings import Settings
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.definitions import install_definitions
from projections.engine.rebuild import rebuild
from projections.engine.shadow import NotSwappableError
from projections.posts import POSTS
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.rebuilding import (
    begun,
    held_up,
    table_ids,
    until_filled,
    until_filling_waits,
    until_nobody_works,
    until_true,
)
from tests.support.running_worker import running_worker

_VALUES = ", ".join(f"('{projection.name}', {projection.version})" for projection in PROJECTIONS)
_VERSIONS = f"SELECT bool_and((projection, version) IN ({_VALUES})) FROM checkpoint"


async def outdate(sql: Connection, *projections: str) -> None:
    """Let the tables be those of the release before this one."""
    await sql.execute("UPDATE checkpoint SET version = 0 WHERE projection = ANY ($1)", projections)


async def until_shown(sql: Connection, post: WrittenPost) -> None:
    await until_true(sql, f"SELECT EXISTS (SELECT FROM read_post WHERE id = '{post.id}')")


async def test_a_worker_builds_the_new_version_while_the_old_tables_are_read_and_folded(
    blog: Blog, config: Settings, connect: Connect, read_side: ReadSide
) -> None:
    ada = await blog.user()
    await until_nobody_works(blog.sql)
    await outdate(blog.sql, "posts", "ranking")
    before = await table_ids(blog.sql)
    reader = await connect()
    async with running_worker(config):
        async with reader.transaction():
            await reader.fetch("SELECT FROM read_post")
            await until_filled(blog.sql, [POSTS, RANKING])
            await until_shown(blog.sql, await blog.post(ada))
            await until_shown(blog.sql, await blog.post(ada))
            assert await table_ids(blog.sql) == before
            assert not await blog.sql.fetchval(_VERSIONS)
        await until_true(blog.sql, _VERSIONS)
        await until_shown(blog.sql, await blog.post(ada))
    after = await table_ids(blog.sql)
    replaced = {table for table, id_ in after.items() if id_ != before[table]}
    assert replaced == {"read_post", "read_post_total", "read_post_rank"}
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_what_is_paused_is_built_and_stays_paused(blog: Blog, config: Settings, read_side: ReadSide) -> None:
    await outdate(blog.sql, "posts", "ranking")
    await blog.sql.execute("UPDATE checkpoint SET status = 'paused' WHERE projection = 'ranking'")
    async with running_worker(config):
        await until_true(blog.sql, _VERSIONS)
        await until_shown(blog.sql, await blog.post(await blog.user()))
    assert await blog.sql.fetchval("SELECT status FROM checkpoint WHERE projection = 'ranking'") == "paused"
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post_rank") == 0
    await blog.sql.execute("UPDATE checkpoint SET status = 'running'")
    await read_side.projector.fold()
    await read_side.is_exact()


async def test_what_a_later_release_has_built_is_not_replaced_unless_that_is_asked_for(
    sql: Connection, building: Building, read_side: ReadSide
) -> None:
    before = await table_ids(sql)
    await sql.execute("UPDATE checkpoint SET version = 2 WHERE projection = 'posts'")
    with pytest.raises(NotSwappableError, match=r"posts .*later release \(version 2\)"):
        await rebuild(building, PROJECTIONS)
    assert await table_ids(sql) == before
    await rebuild(building, PROJECTIONS, over_later=True)
    assert set((await table_ids(sql)).values()).isdisjoint(before.values())
    assert await sql.fetchval(_VERSIONS)
    await read_side.is_exact()


async def test_a_database_with_the_definitions_of_another_release_is_left_to_it(
    sql: Connection, building: Building
) -> None:
    before = await table_ids(sql)
    total = next(table for table in POSTS.tables if table.name == "read_post_total")
    later = replace(total, definition="SELECT true AS singleton, 7::bigint AS total")
    await install_definitions(sql, [replace(POSTS, tables=(later,))])
    try:
        with pytest.raises(NotSwappableError, match="another release's definition of read_post_total"):
            await rebuild(building, PROJECTIONS)
    finally:
        await install_definitions(sql, PROJECTIONS)
    assert await table_ids(sql) == before


async def test_definitions_replaced_while_they_are_read_stop_the_rebuild(
    sql: Connection, building: Building, connect: Connect
) -> None:
    before = await table_ids(sql)
    total = next(table for table in POSTS.tables if table.name == "read_post_total")
    later = replace(total, definition="SELECT true AS singleton, 7::bigint AS total")
    async with held_up(await connect()) as hold, begun(building, POSTS) as running:
        await until_filling_waits(sql, running=running)
        await install_definitions(sql, [replace(POSTS, tables=(later,))])
        await hold.release()
        with pytest.raises(NotSwappableError, match="definitions were altered"):
            await running
    await install_definitions(sql, PROJECTIONS)
    assert await table_ids(sql) == before
    await rebuild(building, [POSTS])
    assert await sql.fetchval("SELECT total FROM read_post_total") == 0
