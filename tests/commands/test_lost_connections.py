"""Commands whose connection breaks, whose request is cancelled, or that wait too long: the pool stays sound."""

import asyncio

import asyncpg
import psutil
import pytest

from app.command_store import CommandStore, Transaction
from app.connection_loss import ended_while_idle
from app.errors import OutcomeUnknown, Overloaded
from app.events import PostEdited
from app.settings import Settings
from tests.commands.conftest import MakeStore, edits, titles
from tests.support.blog import Blog


async def test_a_connection_cut_in_the_middle_is_made_up_for(blog: Blog, store: CommandStore) -> None:
    post = await blog.post(await blog.user("ada"))
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await transaction.fetch("UPDATE posts SET title = $2 WHERE id = $1", post.id, f"Attempt {attempts}")
        transaction.record(PostEdited(subject_id=post.id, actor_id=post.author_id))
        if attempts == 1:
            await transaction.fetch("SET LOCAL ROLE NONE")  # the commands' may end no session of a superuser's
            await transaction.fetch("SELECT pg_terminate_backend(pg_backend_pid())")

    await store.transact(work)
    assert await titles(blog) == {"Attempt 2"}
    assert await edits(blog) == 1


async def test_a_connection_cut_during_the_commit_has_an_unknown_outcome(blog: Blog) -> None:
    post = await blog.post(await blog.user("ada"))
    await blog.sql.execute("""
        CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
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


async def test_a_connection_is_known_to_have_ended_before_anything_is_sent_over_it(config: Settings) -> None:
    connection = await asyncpg.connect(config.database_url)
    assert not ended_while_idle(connection)
    server = psutil.Process(connection.get_server_pid())
    server.terminate()
    psutil.wait_procs([server], timeout=60)  # the event loop stands still meanwhile, and can't see it
    assert not connection.is_closed()
    assert ended_while_idle(connection)
    connection.terminate()


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
