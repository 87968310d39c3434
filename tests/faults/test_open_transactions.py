"""Transactions that commit out of order, or never: nothing lost, nothing doubled, nobody held back."""

import asyncio
from datetime import UTC, datetime
from itertools import product

import pytest

from app.command_store import CommandStore, Transaction
from app.commands.posts import WrittenPost
from app.events import PostEdited
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.projections.cli.conftest import Inkfold
from tests.projections.conftest import Connect, OpenRunner
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

_UNLIKE = """
WITH taken AS (DELETE FROM likes WHERE post_id = $1 AND user_id = $2 RETURNING created_at)
INSERT INTO event (type, subject_id, actor_id, payload)
SELECT 'PostUnliked', $1, $2, jsonb_build_object('author_id', $3::uuid, 'liked_at', taken.created_at)
FROM taken
"""
_SESSION = "SELECT pg_backend_pid() AS pid, current_setting('idle_in_transaction_session_timeout') AS patience"


async def likes_shown(sql: Connection, post: WrittenPost) -> int:
    count: int = await sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id)
    return count


async def test_fault_01_an_open_transaction_with_a_lower_id_loses_nothing(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect
) -> None:
    ada, bob, slow = await blog.users(3)
    post = await blog.post(ada)
    await projector.fold()
    held = await connect()
    transaction = held.transaction()
    await transaction.start()
    await like_at(held, NOON, post=post, user=slow)
    for expected, user in enumerate((ada, bob), start=1):
        await blog.like(post, user)
        assert await projector.fold() == 1
        assert await likes_shown(blog.sql, post) == expected
    await transaction.commit()
    assert await projector.fold() == 1
    assert await likes_shown(blog.sql, post) == 3
    await read_side.folds_nothing_again()
    await read_side.is_exact()


@pytest.mark.parametrize(
    ("liked_at_last", "fold_between", "limit"), list(product([True, False], [True, False], [1, 1_000]))
)
async def test_fault_02_a_change_of_mind_under_an_older_id_ends_as_it_was_made(
    blog: Blog,
    read_side: ReadSide,
    open_runner: OpenRunner,
    connect: Connect,
    *,
    liked_at_last: bool,
    fold_between: bool,
    limit: int,
) -> None:
    runner = open_runner(limit=limit)
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    if liked_at_last:
        await blog.like(post, bob)
    await runner.catch_up()
    older = await connect()
    transaction = older.transaction()
    await transaction.start()
    await older.fetchval("SELECT pg_current_xact_id()::text")
    await (blog.unlike if liked_at_last else blog.like)(post, bob)
    if fold_between:
        await runner.catch_up()
    if liked_at_last:
        await like_at(older, NOON, post=post, user=bob)
    else:
        await older.execute(_UNLIKE, post.id, bob.id, post.author_id)
    await transaction.commit()
    await runner.catch_up()
    assert await blog.sql.fetchval("SELECT array_agg(DISTINCT status) FROM checkpoint") == ["running"]
    order = "SELECT type FROM event WHERE actor_id = $1 AND type <> 'UserRegistered' ORDER BY tx DESC, position LIMIT 1"
    assert await blog.sql.fetchval(order, bob.id) == ("PostUnliked" if liked_at_last else "PostLiked")
    assert await likes_shown(blog.sql, post) == liked_at_last
    assert await blog.sql.fetchval("SELECT count(*) FROM read_post_like WHERE user_id = $1", bob.id) == liked_at_last
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_fault_04_a_transaction_that_idles_is_ended_and_made_up_for(
    blog: Blog, read_side: ReadSide, projector: Projector, store: CommandStore, inkfold: Inkfold
) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await projector.fold()
    idling: asyncio.Queue[int] = asyncio.Queue()
    ended = asyncio.Event()
    titles = iter(["Idled away", "Stored"])

    async def edit(transaction: Transaction) -> None:
        title = next(titles)
        await transaction.fetch("UPDATE posts SET title = $2 WHERE id = $1", post.id, title)
        transaction.record(PostEdited(subject_id=post.id, actor_id=ada.id))
        if title == "Idled away":
            (session,) = await transaction.fetch(_SESSION)
            assert session["patience"] == "10s"
            await transaction.fetch("SET LOCAL idle_in_transaction_session_timeout = '3s'")
            idling.put_nowait(session["pid"])
            await ended.wait()

    editing = asyncio.create_task(store.transact(edit))
    pid = await idling.get()
    assert (await inkfold("status", "--json")).json["oldest_transaction"]["pid"] == pid
    await blog.like(post, bob)
    assert await projector.fold() == 1
    assert await likes_shown(blog.sql, post) == 1
    await until(lambda: blog.sql.fetchval("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid))
    ended.set()
    await editing
    await read_side.folds(1)
    assert await blog.sql.fetchval("SELECT title FROM read_post") == "Stored"
    await read_side.is_exact()
