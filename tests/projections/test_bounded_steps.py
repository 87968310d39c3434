"""Backlogs folded in steps of about so many events, each ending at a snapshot that is cut at a transaction."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random

import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.snapshot import Snapshot
from projections.engine.step import step
from projections.engine.step_result import StepResult
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide, differences, dump

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

#: Everyone registers, then everyone likes the one post: two transactions for each user.
_CROWD = """
DO $$
DECLARE
    author uuid := gen_random_uuid();
    post uuid := gen_random_uuid();
    fan uuid;
BEGIN
    INSERT INTO users (id, username, username_key, email, hashed_password)
    VALUES (author, 'author', 'author', 'author@example.org', 'hash');
    INSERT INTO event (type, subject_id, actor_id) VALUES ('UserRegistered', author, author);
    INSERT INTO posts (id, title, content, author_id) VALUES (post, 'A title', 'Some content.', author);
    INSERT INTO event (type, subject_id, actor_id) VALUES ('PostPublished', post, author);
    COMMIT;
    FOR number IN 1..{fans} LOOP
        fan := gen_random_uuid();
        INSERT INTO users (id, username, username_key, email, hashed_password)
        VALUES (fan, 'fan' || number, 'fan' || number, number || '@example.org', 'hash');
        INSERT INTO event (type, subject_id, actor_id) VALUES ('UserRegistered', fan, fan);
        COMMIT;
        INSERT INTO likes (id, user_id, post_id) VALUES (gen_random_uuid(), fan, post);
        INSERT INTO event (type, subject_id, actor_id, payload)
        SELECT 'PostLiked', post, fan, jsonb_build_object('author_id', author, 'liked_at', l.created_at)
        FROM likes l WHERE l.user_id = fan;
        COMMIT;
    END LOOP;
END
$$
"""


async def steps_of(stepping: Connection, cluster: int, *, limit: int) -> AsyncIterator[StepResult]:
    """Step until nothing is left."""
    more = True
    while more:
        result = await step(stepping, PROJECTIONS, system_identifier=cluster, limit=limit)
        more = result.more
        yield result


def events_of(result: StepResult) -> int:
    return sum(result.events.values())


async def test_a_backlog_is_folded_in_steps_that_each_make_progress(
    sql: Connection, stepping: Connection, cluster: int, read_side: ReadSide
) -> None:
    await sql.execute(_CROWD.format(fans=499))
    sizes: list[int] = []
    reached: list[Snapshot] = []
    async for result in steps_of(stepping, cluster, limit=50):
        sizes.append(events_of(result))
        assert len(result.snapshots) == len(PROJECTIONS)
        (snapshot,) = set(result.snapshots.values())
        assert not reached or (snapshot.covers(reached[-1]) and snapshot.age > reached[-1].age)
        reached.append(snapshot)
    assert sum(sizes) == 1_000
    assert len(sizes) == 20
    assert max(sizes) <= 50
    assert await sql.fetchval("SELECT like_count FROM read_post") == 499
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_bounded_steps_end_where_a_single_step_ends(
    sql: Connection, stepping: Connection, cluster: int, read_side: ReadSide
) -> None:
    start = await sql.fetchval("SELECT min(snapshot::text) FROM checkpoint")
    await sql.execute(_CROWD.format(fans=60))
    async for _ in steps_of(stepping, cluster, limit=7):
        pass
    in_many_steps = await dump(sql)
    await sql.execute(
        "DELETE FROM read_post; DELETE FROM read_post_like; DELETE FROM read_post_rank; "
        "DELETE FROM read_profile; DELETE FROM read_likes_daily; DELETE FROM read_likes_quarter_hourly; "
        "DELETE FROM read_likes_by_span; "
        "UPDATE read_post_total SET total = 0"
    )
    await sql.execute("UPDATE checkpoint SET snapshot = $1::text::pg_snapshot", start)
    (result,) = [result async for result in steps_of(stepping, cluster, limit=1_000_000)]
    assert events_of(result) == 122
    assert await dump(sql) == in_many_steps
    await read_side.is_exact()


async def test_a_transaction_larger_than_a_step_is_taken_whole(
    blog: Blog, stepping: Connection, cluster: int, read_side: ReadSide
) -> None:
    fans = await blog.users(12)
    post = await blog.post(fans[0])
    await read_side.projector.fold()
    await blog.like(post, fans[0])
    async with blog.sql.transaction():
        for fan in fans[1:10]:
            await like_at(blog.sql, NOON, post=post, user=fan)
    await blog.like(post, fans[10])
    await blog.like(post, fans[11])
    sizes = [events_of(result) async for result in steps_of(stepping, cluster, limit=3)]
    assert sizes == [1, 9, 2]
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_steps_of_one_event_take_a_transaction_each(
    blog: Blog, stepping: Connection, cluster: int, read_side: ReadSide
) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like(post, bob)
    sizes = [events_of(result) async for result in steps_of(stepping, cluster, limit=1)]
    assert sizes == [1, 1, 1, 1]
    await read_side.is_exact()


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_a_transaction_that_commits_between_bounded_steps_is_not_lost(
    blog: Blog, read_side: ReadSide, connect: Connect, *, stepping: Connection, cluster: int, limit: int
) -> None:
    fans = await blog.users(8)
    post = await blog.post(fans[0])
    await read_side.projector.fold()
    held = [(await connect(), fan) for fan in fans[:3]]
    transactions = [connection.transaction() for connection, _ in held]
    random = Random(limit)
    for fan in fans[3:]:
        if transactions and random.random() < 0.7:
            connection, slow = held[3 - len(transactions)]
            await transactions.pop(0).start()
            await like_at(connection, NOON, post=post, user=slow)
        await blog.like(post, fan)
    begun = 3 - len(transactions)
    async for _ in steps_of(stepping, cluster, limit=limit):
        if begun:
            begun -= 1
            await held[begun][0].execute("COMMIT")
    await read_side.projector.fold()
    likes = await blog.sql.fetchval("SELECT count(*) FROM likes")
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == likes
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_verify_folds_the_rest_of_a_backlog(
    sql: Connection, stepping: Connection, building: Building, cluster: int, read_side: ReadSide
) -> None:
    await sql.execute(_CROWD.format(fans=20))
    await step(stepping, PROJECTIONS, system_identifier=cluster, limit=5)
    assert await differences(building) == []
    await read_side.folds_nothing_again()
