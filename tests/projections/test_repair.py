"""Repair: mends exactly the rows that a verification found, however far steps have moved on since."""

import pytest

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from projections.engine import comparison
from projections.engine.checkpoint import Connect, Connection
from projections.engine.projection import Projection
from projections.engine.repair import repair
from projections.engine.verify import Verified, verify
from projections.like_statistics import LIKE_STATISTICS
from projections.posts import POSTS
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog
from tests.support.projection_spec import Dump, ReadSide, dump
from tests.support.spoiling import Spoiler

TABLES = [(projection, table.name) for projection in PROJECTIONS for table in projection.tables]
Lively = tuple[list[RegisteredUser], list[WrittenPost]]

SPOILT = (1, 20, 21, 24)
_SPOIL = """
UPDATE read_post
SET title = 'Spoilt', like_count = like_count + 1
WHERE id IN (SELECT id FROM read_post ORDER BY id LIMIT $1)
"""


async def populate(blog: Blog, projector: Projector, number: int) -> Lively:
    users = await blog.users(number)
    for user in users[1:]:
        await blog.subscribe(user, users[0])
    posts = [await blog.post(user) for user in users]
    for user in users[1:]:
        await blog.like(posts[0], user)
    await blog.announce()
    await blog.post(users[0], "Announced later")
    await projector.fold()
    return users, posts


@pytest.fixture
async def lively(blog: Blog, projector: Projector) -> Lively:
    """Something in every read table, all folded."""
    return await populate(blog, projector, 4)


@pytest.fixture
async def crowded(blog: Blog, projector: Projector) -> Lively:
    """More in many tables than is mended one by one."""
    return await populate(blog, projector, 24)


async def found(building: Connect, projection: Projection) -> Verified:
    (verified,) = await verify(building, [projection])
    return verified


def changed(before: Dump, after: Dump) -> dict[str, int]:
    """Count the rows of each table that were written since."""
    return {table: len({*after[table]} - {*before[table]}) for table in after if before[table] != after[table]}


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize(("projection", "table"), TABLES, ids=[name for _, name in TABLES])
async def test_wrong_missing_and_extra_rows_are_mended_and_no_others_touched(
    sql: Connection, building: Connect, projection: Projection, table: str
) -> None:
    sound = await dump(sql)
    spoiler = await Spoiler.of(sql, table)
    rows = (await spoiler.rows())[:3]
    enough = len(rows) > 2
    if enough:
        await spoiler.remove(rows[1])
        await spoiler.add_beside(rows[2])
    await spoiler.change(rows[0], *spoiler.values)
    before = await dump(sql, with_row_versions=True)
    verified = await found(building, projection)
    assert await repair(building, projection, verified) == (3 if enough else 1)
    assert await dump(sql) == sound
    assert changed(before, await dump(sql, with_row_versions=True)) == {table: 2 if enough else 1}
    assert (await found(building, projection)).differences == []


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("number", SPOILT)
async def test_however_many_rows_are_wrong_no_others_are_touched(
    sql: Connection, building: Connect, number: int
) -> None:
    sound = await dump(sql)
    await sql.execute(_SPOIL, number)
    before = await dump(sql, with_row_versions=True)
    assert await repair(building, POSTS, await found(building, POSTS)) == number
    assert await dump(sql) == sound
    assert changed(before, await dump(sql, with_row_versions=True)) == {"read_post": number}


async def much_happens(blog: Blog, users: list[RegisteredUser], posts: list[WrittenPost]) -> None:
    for post in posts[:22]:
        await blog.like(post, users[0])
    await blog.delete(posts[1])
    await blog.post(users[1], "New")


@pytest.mark.usefixtures("crowded")
async def test_more_rows_are_mended_than_are_shown(
    sql: Connection, building: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "SHOWN", 3)
    sound = await dump(sql)
    await sql.execute(_SPOIL, 22)
    verified = await found(building, POSTS)
    assert (len(verified.differences), verified.different) == (3, 22)
    assert await sql.fetchval("SELECT different FROM verification") == 22
    assert await repair(building, POSTS, verified) == 22
    assert await dump(sql) == sound


@pytest.mark.parametrize("number", SPOILT)
async def test_steps_may_have_touched_the_very_rows_since(
    blog: Blog, building: Connect, read_side: ReadSide, crowded: Lively, number: int
) -> None:
    await blog.sql.execute(_SPOIL, number)
    verified = await found(building, POSTS)
    await much_happens(blog, *crowded)
    await read_side.projector.fold()
    assert await repair(building, POSTS, verified) == number
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.parametrize("number", SPOILT)
async def test_what_is_pending_for_the_very_rows_is_folded_once(
    blog: Blog, building: Connect, read_side: ReadSide, crowded: Lively, number: int
) -> None:
    await blog.sql.execute(_SPOIL, number)
    verified = await found(building, POSTS)
    await much_happens(blog, *crowded)
    assert await repair(building, POSTS, verified) == number
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.usefixtures("lively")
async def test_several_tables_of_a_projection_are_mended_at_once(sql: Connection, building: Connect) -> None:
    sound = await dump(sql)
    await sql.execute("UPDATE read_likes_daily SET likes = likes + 3; DELETE FROM read_likes_quarter_hourly")
    await repair(building, LIKE_STATISTICS, await found(building, LIKE_STATISTICS))
    assert await dump(sql) == sound


@pytest.mark.usefixtures("lively")
async def test_what_is_mended_is_recorded(sql: Connection, building: Connect) -> None:
    await sql.execute("UPDATE read_post SET title = 'Spoilt'")
    verified = await found(building, POSTS)
    assert await sql.fetchval("SELECT mended FROM verification") is False
    await repair(building, POSTS, verified)
    assert await sql.fetchval("SELECT mended FROM verification") is True


@pytest.mark.usefixtures("crowded")
async def test_what_a_sample_finds_is_mended_and_nothing_is_recorded(sql: Connection, building: Connect) -> None:
    await sql.execute("UPDATE read_post SET title = 'Spoilt'")
    mended = 0
    while not mended:
        (verified,) = await verify(building, [POSTS], sample=True)
        mended = await repair(building, POSTS, verified)
    assert await sql.fetchval("SELECT count(*) FROM read_post WHERE title <> 'Spoilt'") == mended
    assert await sql.fetchval("SELECT count(*) FROM verification") == 0
