"""Commands whose connection breaks, whose request is cancelled, or that wait too long: the pool stays sound."""

import asyncio
from random import Random

import pytest

from app.command_store import CommandStore, Transaction
from app.errors import OutcomeUnknown, Overloaded
from app.events import PostEdited
from tests.commands.conftest import COMMANDS, MakeStore, edits, nobody_lingers, titles
from tests.support.blog import Blog, happened


async def test_commands_go_on_after_all_connections_were_cut(blog: Blog) -> None:
    ada = await blog.user("ada")
    for turn in range(5):
        await asyncio.gather(*(blog.post(ada, f"{turn}.{number}") for number in range(5)))
        await blog.sql.execute(f"SELECT pg_terminate_backend(pid) {COMMANDS}")
        await blog.post(ada, f"{turn} after")
    assert len(await titles(blog)) == 30


async def test_a_connection_cut_in_the_middle_is_made_up_for(blog: Blog, store: CommandStore) -> None:
    post = await blog.post(await blog.user("ada"))
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await transaction.fetch("UPDATE posts SET title = $2 WHERE id = $1", post.id, f"Attempt {attempts}")
        transaction.record(PostEdited(subject_id=post.id, actor_id=post.author_id))
        if attempts == 1:
            await transaction.fetch("SELECT pg_terminate_backend(pg_backend_pid())")

    await store.transact(work)
    assert await titles(blog) == {"Attempt 2"}
    assert await edits(blog) == 1


async def test_a_connection_cut_during_the_commit_has_an_unknown_outcome(blog: Blog) -> None:
    post = await blog.post(await blog.user("ada"))
    await blog.sql.execute("""
        CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON posts
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();
    """)
    try:
        with pytest.raises(OutcomeUnknown):
            await blog.edit(post, title="Who knows")
    finally:
        await blog.sql.execute("DROP FUNCTION cut CASCADE")
    assert await edits(blog) == 0
    await blog.edit(post, title="Known")


async def test_100_cancelled_requests_leave_the_pool_intact(blog: Blog, make_store: MakeStore) -> None:
    store = await make_store(pool_size=2)
    ada = await blog.user("ada")
    own = Blog(store, blog.sql)
    random = Random(1)
    for number in range(100):
        request = asyncio.create_task(own.post(ada, f"Title {number}"))
        for _ in range(random.randint(0, 30)):
            await asyncio.sleep(0)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    after = await asyncio.gather(*(own.post(ada, f"After {number}") for number in range(10)))
    assert {post.title for post in after} <= await titles(blog)
    assert await nobody_lingers(blog.sql)
    assert len(await titles(blog)) == [event[0] for event in await happened(blog.sql)].count("PostPublished")


async def test_who_waits_too_long_for_a_connection_is_told_so(blog: Blog, make_store: MakeStore) -> None:
    store = await make_store(pool_size=1, pool_timeout_seconds=0.05)
    holding, done = asyncio.Event(), asyncio.Event()

    async def hold(transaction: Transaction) -> None:  # noqa: ARG001 - holds the connection
        holding.set()
        await done.wait()

    first = asyncio.create_task(store.transact(hold))
    await holding.wait()
    with pytest.raises(Overloaded):
        await Blog(store, blog.sql).user("ada")
    done.set()
    await first
    await Blog(store, blog.sql).user("ada")


async def test_a_statement_that_takes_too_long_is_ended(blog: Blog, store: CommandStore) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.fetch("SET LOCAL statement_timeout = '20ms'")
        await transaction.fetch("SELECT pg_sleep(60)")

    with pytest.raises(Overloaded):
        await store.transact(work)
    await blog.user("ada")


async def test_the_setting_says_how_long_a_statement_may_take(make_store: MakeStore) -> None:
    async def work(transaction: Transaction) -> str:
        return str((await transaction.fetch("SHOW statement_timeout"))[0]["statement_timeout"])

    store = await make_store(statement_timeout_seconds=7.5)
    assert (await store.transact(work)).value == "7500ms"
