"""The command store: all or nothing, and tried again where PostgreSQL asks for it."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from app.command_store import CommandStore, Transaction
from app.errors import PostNotFound, Unavailable
from app.events import PostEdited
from projections.projector import Projector
from tests.commands.conftest import edits, nobody_lingers, titles
from tests.support.blog import Blog

_EDIT = "UPDATE posts SET title = $2 WHERE id = $1"
_FAIL = "DO $$ BEGIN RAISE 'again' USING ERRCODE = '{code}'; END $$"


async def test_a_command_that_fails_leaves_neither_rows_nor_events(blog: Blog, store: CommandStore) -> None:
    post = await blog.post(await blog.user("ada"))

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(_EDIT, post.id, "Undone")
        transaction.record(PostEdited(subject_id=post.id, actor_id=post.author_id))
        raise PostNotFound

    with pytest.raises(PostNotFound):
        await store.transact(work)
    assert await titles(blog) == {"A title"}
    assert await edits(blog) == 0


async def test_a_command_whose_event_is_refused_leaves_no_rows(blog: Blog) -> None:
    post = await blog.post(await blog.user("ada"))
    await blog.sql.execute("ALTER TABLE event ADD CONSTRAINT no_edits CHECK (type <> 'PostEdited')")
    try:
        with pytest.raises(Exception, match="no_edits"):
            await blog.edit(post, title="Undone")
    finally:
        await blog.sql.execute("ALTER TABLE event DROP CONSTRAINT no_edits")
    assert await titles(blog) == {"A title"}
    await blog.edit(post, title="Done")


async def test_events_of_one_command_share_its_token(blog: Blog, store: CommandStore) -> None:
    post = await blog.post(await blog.user("ada"))

    async def work(transaction: Transaction) -> str:
        for _ in range(3):
            transaction.record(PostEdited(subject_id=post.id, actor_id=post.author_id))
        return str((await transaction.fetch("SELECT pg_current_xact_id()::text AS tx"))[0]["tx"])

    committed = await store.transact(work)
    assert committed.token == committed.value
    rows = await blog.sql.fetch("SELECT DISTINCT tx::text FROM event WHERE type = 'PostEdited'")
    assert [row[0] for row in rows] == [committed.token]


async def test_the_actors_token_is_remembered(blog: Blog, projector: Projector) -> None:
    ada = await blog.user("ada")
    await blog.post(ada)
    token = await blog.sql.fetchval("SELECT max(tx)::text FROM event")
    assert int(token) in (await projector.cache.recall_tokens(ada.id)).tokens


async def test_two_commands_that_lock_in_opposite_orders_both_succeed(blog: Blog, store: CommandStore) -> None:
    ada = await blog.user("ada")
    one, other = await blog.post(ada, "One"), await blog.post(ada, "Other")
    both_hold = asyncio.Barrier(2)
    attempts = []

    def edit_both(*order: object) -> Callable[[Transaction], Awaitable[None]]:
        async def work(transaction: Transaction) -> None:
            attempts.append(order)
            await transaction.fetch(_EDIT, order[0], "Edited")
            if len(attempts) <= 2:
                await both_hold.wait()
            await transaction.fetch(_EDIT, order[1], "Edited")
            transaction.record(PostEdited(subject_id=one.id, actor_id=ada.id))

        return work

    await asyncio.gather(store.transact(edit_both(one.id, other.id)), store.transact(edit_both(other.id, one.id)))
    assert len(attempts) > 2
    assert await titles(blog) == {"Edited"}
    assert await edits(blog) == 2


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_what_postgresql_asks_to_be_retried_is_retried(blog: Blog, store: CommandStore, code: str) -> None:
    post = await blog.post(await blog.user("ada"))
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        transaction.record(PostEdited(subject_id=post.id, actor_id=post.author_id))
        if attempts < 4:
            await transaction.fetch(_FAIL.format(code=code))

    await store.transact(work)
    assert attempts == 4
    assert await edits(blog) == 1


async def test_what_fails_again_and_again_is_unavailable(blog: Blog, store: CommandStore) -> None:
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await transaction.fetch(_FAIL.format(code="40001"))

    with pytest.raises(Unavailable):
        await store.transact(work)
    assert attempts == 4
    assert await nobody_lingers(blog.sql)


async def test_any_other_error_of_postgresql_reaches_the_caller(store: CommandStore) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.fetch(_FAIL.format(code="P0001"))

    with pytest.raises(asyncpg.RaiseError):
        await store.transact(work)
