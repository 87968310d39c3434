"""Verify: reports exactly the rows that are not as their definition says, and mends exactly these."""

from uuid import UUID

import pytest

from app.commands.users import RegisteredUser
from projections.engine.checkpoint import Connection
from projections.engine.verify import Difference, verify
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, differences, dump

TABLES = [table.name for projection in PROJECTIONS for table in projection.tables]


@pytest.fixture
async def people(blog: Blog, projector: Projector) -> list[RegisteredUser]:
    """Three users, and at least one row in every read table, all folded."""
    ada, bob, eve = await blog.users(3)
    await blog.subscribe(bob, ada)
    await blog.subscribe(eve, ada)
    await blog.subscribe(ada, bob)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.announce()
    await blog.post(bob)
    await projector.fold()
    return [ada, bob, eve]


def as_json(difference: Difference) -> tuple[str, dict[str, object], object, object]:
    return (difference.table, difference.key, difference.expected, difference.found)


@pytest.mark.usefixtures("people")
async def test_sound_tables_have_no_differences(stepping: Connection) -> None:
    assert await differences(stepping) == []


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("table", TABLES)
async def test_missing_rows_are_found_in_every_table_and_mended(
    sql: Connection, stepping: Connection, cluster: int, table: str
) -> None:
    sound = await dump(sql)
    await sql.execute(f"DELETE FROM {table}")
    found = await verify(stepping, PROJECTIONS, system_identifier=cluster, repair=True)
    assert {difference.table for difference in found} == {table}
    assert len(found) == len(sound[table])
    assert all(difference.found is None and difference.expected for difference in found)
    assert await dump(sql) == sound
    assert await differences(stepping) == []


async def test_a_missing_an_extra_and_a_changed_row_are_told_apart(
    sql: Connection, stepping: Connection, people: list[RegisteredUser], cluster: int
) -> None:
    ada, bob, eve = people
    ghost = UUID(int=7)
    await sql.execute("DELETE FROM read_profile WHERE user_id = $1", ada.id)
    await sql.execute("UPDATE read_profile SET likes_received = 5 WHERE user_id = $1", bob.id)
    await sql.execute(
        "INSERT INTO read_profile SELECT $1, username, email, is_active, created_at, 1, 2, 3, 4 "
        "FROM read_profile WHERE user_id = $2",
        ghost,
        eve.id,
    )
    found = {difference.key["user_id"]: difference for difference in await differences(stepping)}
    assert found.keys() == {str(ada.id), str(bob.id), str(ghost)}
    missing, changed, extra = found[str(ada.id)], found[str(bob.id)], found[str(ghost)]
    assert missing.found is None
    assert missing.expected is not None
    assert missing.expected["likes_received"] == 1
    assert extra.expected is None
    assert extra.found is not None
    assert extra.found["post_count"] == 1
    assert changed.expected is not None
    assert changed.found == changed.expected | {"likes_received": 5}
    untouched = "SELECT ctid, xmin FROM read_profile WHERE user_id = $1"
    before = await sql.fetchrow(untouched, eve.id)
    await verify(stepping, PROJECTIONS, system_identifier=cluster, repair=True)
    assert await sql.fetchrow(untouched, eve.id) == before
    assert await differences(stepping) == []


@pytest.mark.usefixtures("people")
async def test_a_report_leaves_the_rows_as_they_are(sql: Connection, stepping: Connection) -> None:
    await sql.execute("UPDATE read_post SET title = 'Spoilt'")
    first = await differences(stepping)
    assert sorted(map(repr, first)) == sorted(map(repr, await differences(stepping)))
    assert await sql.fetchval("SELECT DISTINCT title FROM read_post") == "Spoilt"


@pytest.mark.usefixtures("people")
async def test_a_repair_mends_more_than_it_reports(sql: Connection, stepping: Connection, cluster: int) -> None:
    await sql.execute("UPDATE read_profile SET post_count = 9")
    found = await verify(stepping, PROJECTIONS, system_identifier=cluster, repair=True, sample=1)
    assert len(found) == 1
    assert await differences(stepping) == []


@pytest.mark.usefixtures("people")
async def test_what_is_pending_is_folded_and_is_no_difference(
    blog: Blog, stepping: Connection, read_side: ReadSide
) -> None:
    await blog.like(await blog.post(await blog.user("late")), await blog.user("later"))
    assert await differences(stepping) == []
    await read_side.folds_nothing_again()


@pytest.mark.usefixtures("people")
async def test_a_projection_that_was_never_built_is_named(sql: Connection, stepping: Connection, cluster: int) -> None:
    async with sql.transaction():
        kept = await sql.fetch("DELETE FROM checkpoint WHERE projection IN ('posts', 'ranking') RETURNING *")
    try:
        with pytest.raises(LookupError, match=r"Not built yet: posts, ranking\."):
            await verify(stepping, PROJECTIONS, system_identifier=cluster)
    finally:
        await sql.copy_records_to_table("checkpoint", records=[tuple(row) for row in kept])
