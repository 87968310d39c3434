"""The fold step among open transactions: what is committed folds at once, and everything folds exactly once."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from app.commands.posts import WrittenPost
from projections.engine.checkpoint import Connection
from projections.engine.snapshot import Snapshot
from projections.projector import Projector
from tests.projections.conftest import Connect
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def likes_shown(sql: Connection, post: WrittenPost) -> int:
    count: int = await sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id)
    return count


async def checkpoint_snapshots(sql: Connection) -> list[Snapshot]:
    rows = await sql.fetch("SELECT DISTINCT snapshot::text FROM checkpoint")
    return [Snapshot.parse(row[0]) for row in rows]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_transactions_fold_as_they_commit_whatever_their_order(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect, order: tuple[int, ...]
) -> None:
    users = await blog.users(3)
    post = await blog.post(users[0])
    await projector.fold()
    held = [await connect() for _ in users]
    transactions = [connection.transaction() for connection in held]
    for connection, transaction, user in zip(held, transactions, users, strict=True):
        await transaction.start()
        await like_at(connection, NOON, post=post, user=user)
    for expected, which in enumerate(order, start=1):
        assert await projector.fold() == 0
        await transactions[which].commit()
        assert await projector.fold() == 1
        assert await likes_shown(blog.sql, post) == expected
    await read_side.is_exact()


async def test_a_transaction_in_progress_at_several_steps_folds_once(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect
) -> None:
    ada, bob, slow, slower = await blog.users(4)
    post = await blog.post(ada)
    first, second = await connect(), await connect()
    held = [first.transaction(), second.transaction()]
    for connection, transaction, user in zip((first, second), held, (slow, slower), strict=True):
        await transaction.start()
        await like_at(connection, NOON, post=post, user=user)
    await blog.like(post, ada)
    await projector.fold()
    (snapshot,) = await checkpoint_snapshots(blog.sql)
    assert len(snapshot.in_progress) == 2
    await held[0].commit()
    await blog.like(post, bob)
    assert await projector.fold() == 2
    (snapshot,) = await checkpoint_snapshots(blog.sql)
    assert len(snapshot.in_progress) == 1
    await held[1].commit()
    await read_side.folds(1)
    await read_side.is_exact()


async def test_a_rolled_back_transaction_is_a_hole_that_nothing_waits_for(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect
) -> None:
    ada, bob, undecided = await blog.users(3)
    post = await blog.post(ada)
    held = await connect()
    transaction = held.transaction()
    await transaction.start()
    await like_at(held, NOON, post=post, user=undecided)
    await blog.like(post, ada)
    await projector.fold()
    await transaction.rollback()
    assert await projector.fold() == 0
    await blog.like(post, bob)
    assert await projector.fold() == 1
    assert await likes_shown(blog.sql, post) == 2
    await read_side.is_exact()


async def test_savepoints_kept_are_folded_with_their_transaction_and_others_not(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect
) -> None:
    ada, kept, undone = await blog.users(3)
    post = await blog.post(ada)
    await projector.fold()
    held = await connect()
    outer = held.transaction()
    await outer.start()
    inner = held.transaction()
    await inner.start()
    await like_at(held, NOON, post=post, user=undone)
    await inner.rollback()
    async with held.transaction():
        await like_at(held, NOON, post=post, user=kept)
    await blog.like(post, ada)
    assert await projector.fold() == 1
    await outer.commit()
    assert await projector.fold() == 1
    assert await likes_shown(blog.sql, post) == 2
    await read_side.is_exact()


async def test_all_projections_step_together(blog: Blog, projector: Projector) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    await projector.fold()
    (snapshot,) = await checkpoint_snapshots(blog.sql)
    assert snapshot.sees(int(await blog.sql.fetchval("SELECT max(tx)::text FROM event")))


async def test_nothing_to_fold_writes_nothing(blog: Blog, projector: Projector) -> None:
    await blog.user("ada")
    await projector.fold()
    before = await blog.sql.fetch("SELECT projection, xmin, ctid FROM checkpoint ORDER BY 1")
    assert await projector.fold() == 0
    assert await blog.sql.fetch("SELECT projection, xmin, ctid FROM checkpoint ORDER BY 1") == before


async def test_an_event_that_no_fold_knows_moves_the_checkpoint(
    blog: Blog, read_side: ReadSide, projector: Projector
) -> None:
    ada = await blog.user("ada")
    await projector.fold()
    await blog.sql.execute("INSERT INTO event (type, subject_id, actor_id) VALUES ('TeaServed', $1, $1)", ada.id)
    assert await projector.fold() == 1
    await read_side.folds_nothing_again()
    await read_side.is_exact()
