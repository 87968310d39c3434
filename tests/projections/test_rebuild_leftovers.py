"""What an interrupted rebuild has left is made use of only as far as it is what would be made now."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.definitions import install_definitions
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild
from projections.engine.shadow import shadow_schemas
from projections.notifications import NOTIFICATIONS
from projections.registry import PROJECTIONS
from projections.subscriptions import SUBSCRIPTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.rebuilding import Told, begun, held_up, left_behind, table_ids, until_filled, until_nobody_works
from tests.support.table_looks import looks_of

CHOSEN = (SUBSCRIPTIONS, NOTIFICATIONS)


@pytest.fixture
async def leftover(blog: Blog, building: Building, connect: Connect, read_side: ReadSide) -> dict[str, int]:
    """Filled tables of the subscriptions and the notifications; their ids."""
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    await blog.post(ada)
    await blog.announce()
    await read_side.projector.fold()
    async with held_up(await connect()), begun(building) as running:
        await until_filled(blog.sql, CHOSEN)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await until_nobody_works(blog.sql)
    return await table_ids(blog.sql, await left_behind(blog.sql))


async def taken(sql: Connection, leftover: dict[str, int]) -> set[str]:
    """Return the projections of which all tables are those that were left."""
    now = await table_ids(sql)
    return {
        projection.name
        for projection in CHOSEN
        if all(now[table.name] == leftover.get(table.name) for table in projection.tables)
    }


async def test_it_is_made_use_of_as_it_is(
    sql: Connection, building: Building, leftover: dict[str, int], read_side: ReadSide
) -> None:
    told = Told()
    await rebuild(building, CHOSEN, report=told)
    assert told.stages == ["Catching up and swapping"]
    assert await taken(sql, leftover) == {"subscriptions", "notifications"}
    await read_side.is_exact()


@pytest.mark.parametrize(
    ("alter", "undo"),
    [
        ("CREATE INDEX extra ON read_subscription (since)", "DROP INDEX extra"),
        ("DROP INDEX read_subscription_newest", None),
        ("GRANT DELETE ON read_subscription TO PUBLIC", "REVOKE ALL ON read_subscription FROM PUBLIC"),
        ("ALTER TABLE read_subscription SET (fillfactor = 42)", "ALTER TABLE read_subscription RESET (fillfactor)"),
        ("COMMENT ON COLUMN read_subscription.since IS 'UTC'", "COMMENT ON COLUMN read_subscription.since IS NULL"),
        ("ALTER TABLE read_subscription ADD note text", "ALTER TABLE read_subscription DROP note"),
    ],
    ids=["index", "lost index", "grant", "option", "comment", "column"],
)
async def test_a_table_altered_since_is_filled_again(
    sql: Connection, building: Building, *, leftover: dict[str, int], alter: str, undo: str | None
) -> None:
    definition = "SELECT indexdef FROM pg_indexes WHERE indexname = 'read_subscription_newest'"
    undo = undo or await sql.fetchval(definition)
    await sql.execute(alter)
    looks = await looks_of(sql)
    try:
        await rebuild(building, CHOSEN)
        assert await taken(sql, leftover) == {"notifications"}
        assert await looks_of(sql) == looks
    finally:
        await sql.execute(undo)


@pytest.fixture
async def redefined(sql: Connection) -> AsyncIterator[Projection]:
    """The subscriptions, defined in other words."""
    (table,) = SUBSCRIPTIONS.tables
    other = replace(SUBSCRIPTIONS, tables=(replace(table, definition=f"{table.definition} -- in other words"),))
    await install_definitions(sql, [other])
    yield other
    await install_definitions(sql, PROJECTIONS)


async def test_a_table_defined_otherwise_since_is_filled_again(
    sql: Connection, building: Building, leftover: dict[str, int], redefined: Projection
) -> None:
    await rebuild(building, [redefined, NOTIFICATIONS])
    assert await taken(sql, leftover) == {"notifications"}


async def test_a_table_of_an_earlier_version_is_filled_again(
    sql: Connection, building: Building, leftover: dict[str, int]
) -> None:
    await sql.execute(f"UPDATE {await left_behind(sql)}.checkpoint SET version = 0 WHERE projection = 'subscriptions'")
    await rebuild(building, CHOSEN)
    assert await taken(sql, leftover) == {"notifications"}


async def test_a_table_that_is_not_asked_for_is_dropped(
    sql: Connection, building: Building, leftover: dict[str, int], read_side: ReadSide
) -> None:
    before = await table_ids(sql)
    await rebuild(building, [NOTIFICATIONS])
    assert await taken(sql, leftover) == {"notifications"}
    assert (await table_ids(sql))["read_subscription"] == before["read_subscription"]
    assert await shadow_schemas(sql) == []
    await read_side.is_exact()


async def test_what_another_release_has_left_is_dropped(
    sql: Connection, building: Building, leftover: dict[str, int], read_side: ReadSide
) -> None:
    await sql.execute(f"ALTER TABLE {await left_behind(sql)}.checkpoint DROP COLUMN step_seconds")
    await rebuild(building, CHOSEN)
    assert await taken(sql, leftover) == set()
    assert await shadow_schemas(sql) == []
    await read_side.is_exact()


async def test_schemas_that_only_look_like_it_are_left_alone(sql: Connection, building: Building) -> None:
    await sql.execute("CREATE SCHEMA rebuilding_blog; CREATE TABLE rebuilding_blog.plan (step text)")
    try:
        await rebuild(building, CHOSEN)
        assert await sql.fetchval("SELECT count(*) FROM rebuilding_blog.plan") == 0
    finally:
        await sql.execute("DROP SCHEMA rebuilding_blog CASCADE")
