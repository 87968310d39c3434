"""Verify: each row that is not as its definition says is found, with key, expected and found, and nothing else is."""

import pytest

from projections.engine import one_snapshot
from projections.engine.checkpoint import Connect, Connection
from projections.engine.comparison import Difference
from projections.engine.projection import Projection
from projections.engine.verify import verify
from projections.posts import POSTS
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, differences, dump
from tests.support.spoiling import Spoiler

TABLES = [(projection, table.name) for projection in PROJECTIONS for table in projection.tables]
EACH_TABLE = pytest.mark.parametrize(("projection", "table"), TABLES, ids=[name for _, name in TABLES])

pytestmark = pytest.mark.usefixtures("lively")


@pytest.fixture
async def lively(blog: Blog, projector: Projector) -> None:
    """Something in every read table, all folded."""
    ada, bob, eve = await blog.users(3)
    await blog.subscribe(bob, ada)
    await blog.subscribe(eve, ada)
    await blog.subscribe(ada, bob)
    await blog.like(await blog.post(ada), bob)
    await blog.announce()
    await blog.post(bob, "Announced later")
    await projector.fold()


async def found_in(building: Connect, projection: Projection) -> list[Difference]:
    return await differences(building, [projection])


async def test_sound_tables_have_no_differences(building: Connect) -> None:
    verified = await verify(building, PROJECTIONS)
    assert [difference for each in verified for difference in each.differences] == []
    assert [each.projection for each in verified] == [projection.name for projection in PROJECTIONS]
    assert all(table.rows for each in verified for table in each.tables)


@EACH_TABLE
async def test_a_wrong_value_in_any_column_is_found(
    sql: Connection, building: Connect, projection: Projection, table: str
) -> None:
    spoiler = await Spoiler.of(sql, table)
    for column in spoiler.values:
        (row, *_) = await spoiler.rows()
        spoilt = await spoiler.change(row, column)
        assert {name for name in row if row[name] != spoilt[name]} == {column}
        wanted = Difference(table=table, key=spoiler.key(row), expected=row, found=spoilt)
        assert await found_in(building, projection) == [wanted]
        await spoiler.remove(spoilt)
        await spoiler.add(row)
    assert await found_in(building, projection) == []


@EACH_TABLE
async def test_a_missing_row_is_found(sql: Connection, building: Connect, projection: Projection, table: str) -> None:
    spoiler = await Spoiler.of(sql, table)
    (row, *_) = await spoiler.rows()
    await spoiler.remove(row)
    wanted = Difference(table=table, key=spoiler.key(row), expected=row, found=None)
    assert await found_in(building, projection) == [wanted]


@pytest.mark.parametrize(
    ("projection", "table"),
    [pytest.param(*entry, id=entry[1]) for entry in TABLES if entry[1] != "read_post_total"],  # takes one row
)
async def test_a_row_too_many_is_found(sql: Connection, building: Connect, projection: Projection, table: str) -> None:
    spoiler = await Spoiler.of(sql, table)
    extra = await spoiler.add_beside((await spoiler.rows())[0])
    wanted = Difference(table=table, key=spoiler.key(extra), expected=None, found=extra)
    assert await found_in(building, projection) == [wanted]


async def test_a_report_leaves_the_rows_as_they_are(sql: Connection, building: Connect) -> None:
    await sql.execute("UPDATE read_post SET title = 'Spoilt'")
    before = await dump(sql, with_row_versions=True)
    first = await differences(building)
    assert first
    assert await differences(building) == first
    assert await dump(sql, with_row_versions=True) == before


async def test_what_is_pending_is_folded_and_is_no_difference(
    blog: Blog, building: Connect, read_side: ReadSide
) -> None:
    await blog.like(await blog.post(await blog.user("late")), await blog.user("later"))
    assert await differences(building) == []
    await read_side.folds_nothing_again()


async def test_a_backlog_larger_than_a_step_is_caught_up_first(
    blog: Blog, building: Connect, read_side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_snapshot, "_EVENTS", 2)
    fans = await blog.users(4)
    post = await blog.post(fans[0])
    for fan in fans:
        await blog.like(post, fan)
    assert await differences(building) == []
    assert await blog.sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id) == 4
    await read_side.folds_nothing_again()


async def test_the_result_is_recorded(sql: Connection, building: Connect) -> None:
    await sql.execute("UPDATE read_post SET title = 'Spoilt'")
    (verified,) = await verify(building, [POSTS])
    row = await sql.fetchrow("SELECT projection, compared, different, mended, seconds FROM verification")
    assert dict(row or ()) == {
        "projection": "posts",
        "compared": 3,
        "different": 2,
        "mended": False,
        "seconds": verified.seconds,
    }
    await sql.execute("UPDATE verification SET mended = true")
    await sql.execute("UPDATE read_post SET title = 'A title'")
    await verify(building, [POSTS])
    assert [tuple(row) for row in await sql.fetch("SELECT different, mended FROM verification")] == [(1, False)]
