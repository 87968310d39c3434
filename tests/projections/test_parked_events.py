"""Parked events: folded exactly once when replayed, or settled by a repair; afterwards the tables are exact."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.commands.posts import WrittenPost
from projections.engine.checkpoint import Connect, Connection, pause
from projections.engine.parked import NotReplayableError, Replayed, drop_parked, list_parked, replay
from projections.engine.rebuild import rebuild
from projections.engine.repair import EventParkedMeanwhileError, repair
from projections.engine.verify import verify
from projections.projector import Projector
from projections.ranking import RANKING
from tests.support.blog import Blog
from tests.support.obstacle import Obstacle, fold_for_good, obstacle, parked
from tests.support.projection_spec import ReadSide, differences, dump


@pytest.fixture
async def ranks(sql: Connection) -> AsyncIterator[Obstacle]:
    """A ranking that refuses some posts."""
    async with obstacle(sql) as ranks:
        yield ranks


@pytest.fixture
async def posts(blog: Blog, ranks: Obstacle, projector: Projector) -> list[WrittenPost]:
    """Three posts, that have two likes each; the likes of the first two are parked."""
    ada, bob = await blog.users(2)
    posts = [await blog.post(ada) for _ in range(3)]
    await projector.fold()
    await ranks.refuse(posts[0].id, posts[1].id)
    for post in posts:
        await blog.like(post, ada)
        await blog.like(post, bob)
    await fold_for_good(blog.sql, projector.fold)
    assert await parked(blog.sql) == [("PostLiked", posts[number].id) for number in (0, 0, 1, 1)]
    return posts


async def likes(sql: Connection, posts: list[WrittenPost]) -> list[int]:
    rows = {row["post_id"]: row["like_count"] for row in await sql.fetch("SELECT * FROM read_post_rank")}
    return [rows[post.id] for post in posts]


async def test_a_replay_folds_each_event_once(
    sql: Connection, building: Connect, posts: list[WrittenPost], ranks: Obstacle, read_side: ReadSide
) -> None:
    await ranks.relent(posts[0].id, posts[1].id)
    assert await replay(building, RANKING) == Replayed(folded=4, failed=[])
    assert await likes(sql, posts) == [2, 2, 2]
    assert await parked(sql) == []
    assert await replay(building, RANKING) == Replayed(folded=0, failed=[])
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_events_that_fail_again_stay_parked(
    sql: Connection, building: Connect, posts: list[WrittenPost], ranks: Obstacle
) -> None:
    await ranks.relent(posts[0].id)
    kept = [event.position for event in await list_parked(sql, "ranking") if event.subject_id == str(posts[1].id)]
    for tries in (2, 3):
        replayed = await replay(building, RANKING)
        assert sorted(replayed.failed) == kept
        assert replayed.folded == (2 if tries == 2 else 0)
        assert [(event.position, event.tries) for event in await list_parked(sql)] == [(at, tries) for at in kept]
        assert await likes(sql, posts) == [2, 0, 2]


async def test_one_event_is_replayed_by_itself(
    sql: Connection, building: Connect, posts: list[WrittenPost], ranks: Obstacle
) -> None:
    await ranks.relent(posts[0].id, posts[1].id)
    first, *others = [event.position for event in await list_parked(sql)]
    assert await replay(building, RANKING, first) == Replayed(folded=1, failed=[])
    assert await replay(building, RANKING, first) == Replayed(folded=0, failed=[])
    assert await likes(sql, posts) == [1, 0, 2]
    assert [event.position for event in await list_parked(sql)] == others


async def test_replays_at_once_fold_each_event_once(
    blog: Blog, building: Connect, posts: list[WrittenPost], ranks: Obstacle, read_side: ReadSide
) -> None:
    await ranks.relent(posts[0].id, posts[1].id)
    await blog.like(posts[0], await blog.user())
    replays, _ = await asyncio.gather(
        asyncio.gather(*(replay(building, RANKING) for _ in range(3))), read_side.projector.fold()
    )
    assert sum(each.folded for each in replays) == 4
    assert await likes(blog.sql, posts) == [3, 2, 2]
    await read_side.is_exact()


async def test_what_is_pending_is_folded_before_what_is_replayed(
    blog: Blog, building: Connect, posts: list[WrittenPost], ranks: Obstacle, read_side: ReadSide
) -> None:
    await ranks.relent(posts[0].id, posts[1].id)
    await blog.like(posts[0], await blog.user())
    assert await replay(building, RANKING) == Replayed(folded=4, failed=[])
    assert await likes(blog.sql, posts) == [3, 2, 2]
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_what_came_while_an_event_was_parked_is_made_good_by_verify_and_repair(
    blog: Blog, building: Connect, ranks: Obstacle, read_side: ReadSide
) -> None:
    ada, bob = await blog.users(2)
    parked_post, deleted = await blog.post(ada), await blog.post(ada)
    await ranks.refuse(parked_post.id, deleted.id)
    await fold_for_good(blog.sql, read_side.projector.fold)
    for fan in (ada, bob):
        await blog.like(parked_post, fan)
    await blog.unlike(parked_post, ada)
    await blog.delete(deleted)
    await read_side.projector.fold()
    await ranks.relent(parked_post.id, deleted.id)
    assert await replay(building, RANKING) == Replayed(folded=2, failed=[])
    (verified,) = await verify(building, [RANKING])
    (difference,) = verified.differences
    assert difference.key == {"post_id": str(parked_post.id)}
    assert await repair(building, RANKING, verified) == 1
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_repair_settles_what_is_parked(
    sql: Connection, building: Connect, posts: list[WrittenPost], ranks: Obstacle, read_side: ReadSide
) -> None:
    await ranks.relent(posts[0].id, posts[1].id)
    (verified,) = await verify(building, [RANKING])
    assert await repair(building, RANKING, verified) == 2
    assert await parked(sql) == []
    assert await replay(building, RANKING) == Replayed(folded=0, failed=[])
    assert await likes(sql, posts) == [2, 2, 2]
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_a_repair_of_a_sample_settles_nothing(
    sql: Connection, building: Connect, posts: list[WrittenPost], ranks: Obstacle
) -> None:
    await ranks.relent(posts[0].id, posts[1].id)
    (verified,) = await verify(building, [RANKING], sample=True)
    await repair(building, RANKING, verified)
    assert len(await parked(sql)) == 4


async def test_a_repair_refuses_when_an_event_was_parked_since(
    blog: Blog, building: Connect, posts: list[WrittenPost], ranks: Obstacle, read_side: ReadSide
) -> None:
    (verified,) = await verify(building, [RANKING])
    await blog.like(posts[0], await blog.user())
    await fold_for_good(blog.sql, read_side.projector.fold)
    before = await dump(blog.sql, with_row_versions=True)
    with pytest.raises(EventParkedMeanwhileError, match=r"ranking was parked meanwhile\. Verify again\."):
        await repair(building, RANKING, verified)
    assert len(await parked(blog.sql)) == 5
    assert await dump(blog.sql, with_row_versions=True) == before
    await ranks.relent(posts[0].id, posts[1].id)
    (verified,) = await verify(building, [RANKING])
    await repair(building, RANKING, verified)
    assert await parked(blog.sql) == []
    await read_side.is_exact()


async def test_a_rebuild_settles_what_is_parked(sql: Connection, building: Connect, posts: list[WrittenPost]) -> None:
    await sql.execute("DROP TRIGGER refuse ON read_post_rank")
    await rebuild(building, [RANKING])
    assert await parked(sql) == []
    assert await likes(sql, posts) == [2, 2, 2]


async def test_dropped_events_are_not_folded_and_are_missed(
    sql: Connection, building: Connect, posts: list[WrittenPost]
) -> None:
    first = (await list_parked(sql))[0].position
    assert await drop_parked(sql, "ranking", first) == 1
    assert await drop_parked(sql, "ranking") == 3
    assert await replay(building, RANKING) == Replayed(folded=0, failed=[])
    assert await likes(sql, posts) == [0, 0, 2]
    assert len(await differences(building, [RANKING])) == 2


@pytest.mark.usefixtures("posts")
async def test_a_paused_projection_takes_no_replay(sql: Connection, building: Connect) -> None:
    await pause(sql, "ranking")
    with pytest.raises(NotReplayableError, match="inkfold projections resume ranking"):
        await replay(building, RANKING)


async def test_a_projection_that_fails_takes_no_replay(blog: Blog, building: Connect, posts: list[WrittenPost]) -> None:
    await blog.like(posts[0], await blog.user())
    with pytest.raises(NotReplayableError, match="ranking fails at what came later, which comes first: no room for it"):
        await replay(building, RANKING)
