"""Events that a fold can't take during a rebuild, and before it: the new tables lack just what is parked for them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.projection import Projection
from projections.engine.rebuild import RebuildFailedError, rebuild
from projections.like_statistics import LIKE_STATISTICS
from projections.projector import Projector
from projections.registry import PROJECTIONS
from projections.subscriptions import SUBSCRIPTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog, like_at
from tests.support.obstacle import fold_for_good, parked
from tests.support.projection_spec import ReadSide, differences
from tests.support.rebuilding import begun, held_up, table_ids, until_filling_waits

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OTHERS = [projection for projection in PROJECTIONS if projection is not LIKE_STATISTICS]


async def like_at_no_time(blog: Blog, post: WrittenPost, user: RegisteredUser) -> None:
    """Give a like whose event says no moment that the statistics could count it at."""
    async with blog.sql.transaction():
        await like_at(blog.sql, NOON, post=post, user=user)
        await blog.sql.execute(
            "UPDATE event SET payload = payload || $2::text::jsonb WHERE actor_id = $1 AND type = 'PostLiked'",
            user.id,
            '{"liked_at": "noon"}',
        )


@pytest.fixture
async def post(blog: Blog, projector: Projector) -> WrittenPost:
    post = await blog.post(await blog.user())
    await projector.fold()
    return post


async def state(sql: Connection) -> str:
    status: str = await sql.fetchval("SELECT status FROM checkpoint WHERE projection = 'like_statistics'")
    return status


async def test_an_event_that_the_new_tables_can_not_take_is_parked_for_them(
    blog: Blog, post: WrittenPost, building: Building, *, connect: Connect, read_side: ReadSide
) -> None:
    sql, fans = blog.sql, await blog.users(3)
    async with held_up(await connect(), table="subscriptions") as hold, begun(building) as running:
        await until_filling_waits(sql, running=running)
        await blog.like(post, fans[0])
        await like_at_no_time(blog, post, fans[1])
        await blog.like(post, fans[2])
        await hold.release()
        await running
    assert await parked(sql, "like_statistics") == [("PostLiked", post.id)]
    assert await sql.fetchval("SELECT count(*) FROM parked_event") == 1
    assert await sql.fetchval("SELECT sum(likes) FROM read_likes_daily WHERE scope = 'all'") == 2
    assert await differences(building, OTHERS) == []
    await rebuild(building, PROJECTIONS)
    assert await sql.fetchval("SELECT count(*) FROM parked_event") == 0
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_what_was_parked_for_old_tables_and_new_ones_is_parked_once(
    blog: Blog, post: WrittenPost, building: Building, *, connect: Connect, projector: Projector
) -> None:
    sql, fan = blog.sql, await blog.user()
    async with held_up(await connect(), table="subscriptions") as hold, begun(building) as running:
        await until_filling_waits(sql, running=running)
        await like_at_no_time(blog, post, fan)
        await fold_for_good(sql, projector.fold)
        assert await parked(sql, "like_statistics") == [("PostLiked", post.id)]
        await hold.release()
        await running
    assert await parked(sql, "like_statistics") == [("PostLiked", post.id)]
    assert await sql.fetchval("SELECT tries FROM parked_event") == 1


async def test_parked_events_that_the_new_tables_contain_are_gone_and_no_others(
    blog: Blog, post: WrittenPost, building: Building, projector: Projector
) -> None:
    await like_at_no_time(blog, post, await blog.user())
    await fold_for_good(blog.sql, projector.fold)
    assert len(await parked(blog.sql, "like_statistics")) == 1
    await blog.sql.execute(
        "INSERT INTO parked_event (projection, tx, position, type, subject_id, actor_id, payload, at, error) "
        "SELECT 'ranking', tx, position, type, subject_id, actor_id, payload, at, error FROM parked_event"
    )
    await rebuild(building, [LIKE_STATISTICS])
    assert await parked(blog.sql, "like_statistics") == []
    assert len(await parked(blog.sql)) == 1
    assert await differences(building, [LIKE_STATISTICS]) == []


async def test_a_projection_that_failed_or_gave_up_runs_again_after_a_rebuild(
    blog: Blog, post: WrittenPost, building: Building, read_side: ReadSide
) -> None:
    await like_at_no_time(blog, post, await blog.user())
    await read_side.projector.fold()
    assert await state(blog.sql) == "failing"
    await rebuild(building, PROJECTIONS)
    assert await state(blog.sql) == "running"
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_without_parking_the_rebuild_fails_and_the_next_one_contains_the_event(
    blog: Blog, post: WrittenPost, building: Building, *, connect: Connect, read_side: ReadSide
) -> None:
    before = await table_ids(blog.sql)
    async with held_up(await connect(), table="subscriptions") as hold, begun(building, park=False) as running:
        await until_filling_waits(blog.sql, running=running)
        await like_at_no_time(blog, post, await blog.user())
        await hold.release()
        with pytest.raises(RebuildFailedError, match=r"like_statistics can't be rebuilt, its fold fails: .*noon"):
            await running
    assert await table_ids(blog.sql) == before
    assert await blog.sql.fetchval("SELECT count(*) FROM parked_event") == 0
    await rebuild(building, PROJECTIONS, park=False)
    assert set((await table_ids(blog.sql)).values()).isdisjoint(before.values())
    await read_side.folds_nothing_again()
    await read_side.is_exact()


def broken(projection: Projection) -> Projection:
    """Return the projection with folds that fail whatever the event is."""
    return replace(projection, folds=tuple(replace(fold, sql="SELECT FROM nowhere") for fold in projection.folds))


async def test_a_fold_that_is_broken_parks_nothing(
    blog: Blog, building: Building, connect: Connect, read_side: ReadSide
) -> None:
    ada, bob = await blog.users(2)
    before = await table_ids(blog.sql)
    chosen = (broken(SUBSCRIPTIONS), LIKE_STATISTICS)
    async with held_up(await connect()) as hold, begun(building, *chosen) as running:
        await until_filling_waits(blog.sql, running=running)
        await blog.subscribe(ada, bob)
        await hold.release()
        with pytest.raises(RebuildFailedError, match="nowhere"):
            await running
    assert await table_ids(blog.sql) == before
    assert await blog.sql.fetchval("SELECT count(*) FROM parked_event") == 0
    await read_side.folds(3)
    await read_side.is_exact()
