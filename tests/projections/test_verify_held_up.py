"""Verify beside steps and rebuilds: a comparison that lasts holds up neither, and neither disturbs it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from projections.engine.checkpoint import Connect, Connection
from projections.engine.definitions import install_definitions
from projections.engine.locks import lock, unlock
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.projection import Projection
from projections.engine.verify import Verified, verify
from projections.posts import POSTS
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect as Further
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, differences
from tests.support.rebuilding import Told, begun, until, until_true

NAMES = [projection.name for projection in PROJECTIONS]
(RANKS,) = RANKING.tables
CARDS, TOTALS = POSTS.tables

OTHER_RANKS = replace(RANKS, definition="SELECT id AS post_id, author_id, 7 AS like_count FROM posts")
OTHER_RELEASE = replace(RANKING, tables=(OTHER_RANKS,))

_GATE = 4711
#: Longer than sessions with locks may be silent.
_STEPPING_LONG_SILENT = """
SELECT count(*) = 1
FROM pg_stat_activity
WHERE application_name = 'inkfold-building' AND state = 'idle' AND now() - state_change > interval '11 seconds'
"""
_EXCLUSION_AWAITED = "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"


@pytest.fixture
async def gate(sql: Connection, connect: Further) -> AsyncIterator[Connection]:
    """Whoever reads the definition of the ranks, or the cards of posts, waits while this session holds the lock."""
    for table in (RANKS, CARDS):
        await sql.execute(
            f"CREATE OR REPLACE VIEW {table.view} AS SELECT d.* FROM ({table.definition}) d "
            f"CROSS JOIN (SELECT pg_advisory_xact_lock_shared({_GATE})) held_up"
        )
    yield await connect()
    for table in (RANKS, CARDS):
        await sql.execute(f"COMMENT ON VIEW {table.view} IS 'held up'")
    await install_definitions(sql, PROJECTIONS)


async def held_up(
    sql: Connection, building: Connect, gate: Connection, projection: Projection = RANKING
) -> "asyncio.Task[list[Verified]]":
    """Close the gate and verify a projection in a task, which by now waits in front of it."""
    await gate.execute("SELECT pg_advisory_lock($1)", _GATE)
    verifying = asyncio.create_task(verify(building, [projection]))
    await until_true(sql, f"SELECT count(*) > 0 FROM pg_locks WHERE objid = {_GATE} AND NOT granted")
    return verifying


async def released(verifying: "asyncio.Task[list[Verified]]", gate: Connection) -> Verified:
    """Open the gate and return what was found."""
    assert not verifying.done()
    await gate.execute("SELECT pg_advisory_unlock($1)", _GATE)
    (verified,) = await verifying
    return verified


async def test_steps_go_on_while_a_comparison_lasts(
    blog: Blog, projector: Projector, building: Connect, gate: Connection, connect: Further
) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await projector.fold()
    verifying = await held_up(blog.sql, building, gate)
    other = await connect()
    assert await lock(other, NAMES) == NAMES
    await unlock(other, NAMES)
    for user in (ada, bob):
        await blog.like(post, user)
        assert await projector.fold() == 1
    assert await blog.sql.fetchval("SELECT like_count FROM read_post_rank") == 2
    verified = await released(verifying, gate)
    assert verified.differences == []
    assert verified.rows == 1
    assert await blog.sql.fetchval("SELECT snapshot::text FROM checkpoint LIMIT 1") != str(verified.snapshot)


async def test_the_next_projection_is_compared_however_long_the_last_one_took(
    blog: Blog, projector: Projector, building: Connect, gate: Connection
) -> None:
    post = await blog.post(await blog.user())
    await projector.fold()
    await gate.execute("SELECT pg_advisory_lock($1)", _GATE)
    verifying = asyncio.create_task(verify(building, [RANKING, POSTS]))
    await until_true(blog.sql, _STEPPING_LONG_SILENT)
    await blog.like(post, await blog.user())
    await gate.execute("SELECT pg_advisory_unlock($1)", _GATE)
    ranks, posts = await verifying
    assert (ranks.projection, ranks.rows, ranks.differences) == ("ranking", 1, [])
    assert (posts.projection, posts.rows, posts.differences) == ("posts", 2, [])
    assert ranks.snapshot.age < posts.snapshot.age


async def test_rows_spoilt_before_its_snapshot_are_found_and_later_ones_are_not_its_business(
    blog: Blog, projector: Projector, building: Connect, gate: Connection
) -> None:
    before, after = [await blog.post(await blog.user()) for _ in range(2)]
    await projector.fold()
    await blog.sql.execute("UPDATE read_post_rank SET like_count = 7 WHERE post_id = $1", before.id)
    verifying = await held_up(blog.sql, building, gate)
    await blog.sql.execute("DELETE FROM read_post_rank WHERE post_id = $1", after.id)
    await blog.sql.execute("UPDATE read_post_rank SET like_count = 0")
    (found,) = (await released(verifying, gate)).differences
    assert found.key == {"post_id": str(before.id)}
    (found,) = await differences(building, [RANKING])
    assert found.key == {"post_id": str(after.id)}


async def test_a_rebuild_swaps_when_the_comparison_is_done(
    blog: Blog, building: Connect, gate: Connection, read_side: ReadSide, connect: Further
) -> None:
    post = await blog.post(await blog.user("ada"))
    await read_side.projector.fold()
    reader, told = await connect(), Told()
    await reader.execute("BEGIN; SELECT FROM read_post_rank")
    async with begun(building, RANKING, report=told) as rebuilding:
        await until(lambda: told.notes, running=rebuilding)
        verifying = await held_up(blog.sql, building, gate)
        await reader.execute("ROLLBACK")
        await until_true(blog.sql, _EXCLUSION_AWAITED)
        await blog.like(post, await blog.user("bob"))
        assert (await released(verifying, gate)).differences == []
        await rebuilding
    await read_side.projector.fold()
    await read_side.is_exact()


async def test_no_definition_of_a_projection_is_replaced_while_one_is_read(
    blog: Blog, projector: Projector, building: Connect, gate: Connection, connect: Further
) -> None:
    await blog.post(await blog.user("ada"))
    await projector.fold()
    verifying, other = await held_up(blog.sql, building, gate, POSTS), await connect()
    totals = replace(TOTALS, definition="SELECT true AS singleton, 7::bigint AS total")
    installing = asyncio.create_task(install_definitions(other, [replace(POSTS, tables=(totals,))]))
    await until_true(blog.sql, _EXCLUSION_AWAITED)
    assert (await released(verifying, gate)).differences == []
    assert await installing == [TOTALS.view]


async def test_another_releases_definition_is_not_compared_with(
    blog: Blog, building: Connect, gate: Connection
) -> None:
    await blog.post(await blog.user("ada"))
    await gate.execute(f"DROP VIEW {RANKS.view}")
    await install_definitions(gate, [OTHER_RELEASE])
    with pytest.raises(UnverifiableError, match="another release's definition of read_post_rank"):
        await verify(building, [RANKING])
