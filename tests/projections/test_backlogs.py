"""Backlogs: a projection that has a large one holds up nobody, and steps of a backlog take as long as they may."""

from itertools import pairwise

import pytest

from app.commands.posts import WrittenPost
from projections.engine.checkpoint import Connection, pause, resume
from projections.engine.snapshot import Snapshot
from projections.engine.status import Status, read_status
from projections.engine.step import step
from projections.engine.step_result import StepResult
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.projections.conftest import OpenRunner
from tests.support.blog import Blog
from tests.support.obstacle import obstacle
from tests.support.projection_spec import ReadSide

LIMIT = 6
OTHERS = [projection.name for projection in PROJECTIONS if projection.name != "ranking"]

#: Each in a transaction of its own; no fold knows them.
_TEA = """
DO $$
BEGIN
    FOR cup IN 1..{cups} LOOP
        INSERT INTO event (type, subject_id, actor_id) VALUES ('TeaServed', gen_random_uuid(), gen_random_uuid());
        COMMIT;
    END LOOP;
END
$$
"""


@pytest.fixture
async def lagging(blog: Blog, projector: Projector) -> WrittenPost:
    """A post; the ranking has folded nothing of it, nor any of its 20 likes, while the others have."""
    fans = await blog.users(20)
    await projector.fold()
    await pause(blog.sql, "ranking")
    post = await blog.post(fans[0])
    for fan in fans:
        await blog.like(post, fan)
    await projector.fold()
    await resume(blog.sql, "ranking")
    return post


async def shown(sql: Connection, table: str) -> int | None:
    count: int | None = await sql.fetchval(f"SELECT like_count FROM {table}")
    return count


async def checkpoints(sql: Connection) -> dict[str, tuple[Snapshot, str]]:
    """Return each projection's snapshot, and the transaction that moved it there."""
    rows = await sql.fetch("SELECT projection, snapshot::text, xmin::text FROM checkpoint")
    return {row["projection"]: (Snapshot.parse(row["snapshot"]), row["xmin"]) for row in rows}


async def status(sql: Connection) -> Status:
    report = await read_status(sql, PROJECTIONS)
    return next(each for each in report.projections if each.projection == "ranking")


async def test_a_laggard_steps_by_itself_and_the_others_reach_the_present_each_time(
    blog: Blog, lagging: WrittenPost, stepping: Connection, cluster: int, read_side: ReadSide
) -> None:
    likes, steps, ranked = 20, 0, [0]
    while (await shown(blog.sql, "read_post_rank") or 0) < likes:
        await blog.like(lagging, await blog.user())
        likes += 1
        present = Snapshot.parse(await blog.sql.fetchval("SELECT pg_current_snapshot()::text"))
        await step(stepping, PROJECTIONS, system_identifier=cluster, limit=LIMIT)
        assert await shown(blog.sql, "read_post") == likes
        reached = await checkpoints(blog.sql)
        assert all(reached[name][0].covers(present) for name in OTHERS)
        if not reached["ranking"][0].covers(present):
            assert reached["ranking"][1] not in {reached[name][1] for name in OTHERS}
        ranked.append(await shown(blog.sql, "read_post_rank") or 0)
        steps += 1
    assert steps > 2
    assert all(0 <= later - earlier <= LIMIT for earlier, later in pairwise(ranked))
    await read_side.is_exact()


async def test_a_laggard_that_has_caught_up_steps_with_the_others_again(
    blog: Blog, lagging: WrittenPost, open_runner: OpenRunner, read_side: ReadSide
) -> None:
    runner = open_runner(limit=LIMIT)
    await runner.catch_up()
    assert await shown(blog.sql, "read_post_rank") == 20
    await blog.like(lagging, await blog.user())
    await runner.catch_up()
    assert len(set((await checkpoints(blog.sql)).values())) == 1
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_projections_that_lag_behind_alike_step_together(blog: Blog, stepping: Connection, cluster: int) -> None:
    fans = await blog.users(10)
    for _ in range(2):
        await step(stepping, PROJECTIONS, system_identifier=cluster, limit=4)
        assert len(set((await checkpoints(blog.sql)).values())) == 1
    assert await blog.sql.fetchval("SELECT count(*) FROM read_profile") == 8 < len(fans)


async def test_what_the_others_folded_is_told_even_when_the_laggard_fails(
    blog: Blog, lagging: WrittenPost, open_runner: OpenRunner
) -> None:
    told: set[str] = set()

    async def on_step(_: Connection, result: StepResult) -> None:
        told.update(result.snapshots)

    async with obstacle(blog.sql) as ranks:
        await ranks.refuse(lagging.id)
        await blog.like(lagging, await blog.user())
        await open_runner(limit=LIMIT, on_step=on_step).catch_up()
    assert told == set(OTHERS)
    assert await shown(blog.sql, "read_post") == 21


@pytest.mark.usefixtures("lagging")
async def test_status_tells_how_a_backlog_gets_on(
    blog: Blog, stepping: Connection, cluster: int, projector: Projector
) -> None:
    before = await status(blog.sql)
    assert before.events_behind == 21
    await step(stepping, PROJECTIONS, system_identifier=cluster, limit=LIMIT)
    after = await status(blog.sql)
    assert after.step_events == LIMIT
    assert after.events_behind == 21 - LIMIT
    assert after.step_seconds > 0
    assert after.seconds_left == pytest.approx(after.events_behind * after.step_seconds / LIMIT)
    await projector.fold()
    assert (await status(blog.sql)).seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "sizes"), [(1e-9, [1_000, 500, 500, 500]), (1e9, [1_000, 1_500])], ids=["too slow", "fast enough"]
)
async def test_steps_of_a_backlog_adapt_to_the_time_they_may_take(
    sql: Connection, open_runner: OpenRunner, seconds: float, sizes: list[int]
) -> None:
    taken: list[int] = []

    async def on_step(_: Connection, result: StepResult) -> None:
        taken.append(sum(result.events.values()))

    await sql.execute(_TEA.format(cups=2_500))
    await open_runner(limit=4_000, seconds=seconds, on_step=on_step).catch_up()
    assert taken == sizes


async def test_a_turn_ends_in_time_and_the_next_goes_on_where_it_ended(
    sql: Connection, open_runner: OpenRunner
) -> None:
    await sql.execute(_TEA.format(cups=12))
    runner = open_runner(limit=5, turn_seconds=0)
    assert [await runner.catch_up() for _ in range(4)] == [5, 5, 2, 0]


async def test_a_step_that_leaves_a_laggard_behind_says_so(
    blog: Blog, lagging: WrittenPost, stepping: Connection, cluster: int
) -> None:
    await blog.like(lagging, await blog.user())
    assert (await step(stepping, PROJECTIONS, system_identifier=cluster, limit=LIMIT)).apart
    await pause(blog.sql, "ranking")
    assert not (await step(stepping, PROJECTIONS, system_identifier=cluster, limit=LIMIT)).apart


async def test_a_step_of_a_backlog_that_all_have_leaves_nobody_behind(
    sql: Connection, stepping: Connection, cluster: int
) -> None:
    await sql.execute(_TEA.format(cups=12))
    result = await step(stepping, PROJECTIONS, system_identifier=cluster, limit=LIMIT)
    assert (result.more, result.apart) == (True, False)
