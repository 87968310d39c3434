"""The command store: all or nothing, tried again where that helps, and sound after whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import asyncpg
import pytest

from app.command_store import CommandStore, Transaction
from app.db import open_commands
from app.errors import OutcomeUnknown, Overloaded, PostNotFound, Unavailable
from app.events import PostEdited
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.blog import Blog, happened

_COMMANDS = "FROM pg_stat_activity WHERE application_name = 'inkfold-commands' AND datname = current_database()"
_EDIT = "UPDATE posts SET title = $2 WHERE id = $1"
_FAIL = "DO $$ BEGIN RAISE 'again' USING ERRCODE = '{code}'; END $$"

MakeStore = Callable[..., Awaitable[CommandStore]]


@pytest.fixture
async def make_store(projector: Projector, config: Settings) -> AsyncIterator[MakeStore]:
    """Makes stores with other limits: `await make_store(pool_size=1, pool_timeout_seconds=0.05)`."""
    opened = []

    async def make_store(
        *, pool_size: int = 2, pool_timeout_seconds: float = 5, statement_timeout_seconds: float = 15
    ) -> CommandStore:
        changes = {"command_pool_size": pool_size, "statement_timeout_seconds": statement_timeout_seconds}
        opened.append(await open_commands(config.model_copy(update=changes)))
        return CommandStore(
            opened[-1],
            cache=projector.cache,
            doorbell=projector.store._doorbell,
            pool_size=pool_size,
            pool_timeout_seconds=pool_timeout_seconds,
        )

    yield make_store
    for models in opened:
        await models.close_connections()


async def titles(blog: Blog) -> set[str]:
    return {row["title"] for row in await blog.sql.fetch("SELECT title FROM posts")}


async def edits(blog: Blog) -> int:
    return [event[0] for event in await happened(blog.sql)].count("PostEdited")


async def nobody_lingers(sql: Connection) -> bool:
    return not await sql.fetchval(f"SELECT count(*) {_COMMANDS} AND state LIKE 'idle in transaction%'")


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
    assert (await projector.cache.recall_token(ada.id)).token == int(token)


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


async def test_commands_go_on_after_all_connections_were_cut(blog: Blog) -> None:
    ada = await blog.user("ada")
    for turn in range(5):
        await asyncio.gather(*(blog.post(ada, f"{turn}.{number}") for number in range(5)))
        await blog.sql.execute(f"SELECT pg_terminate_backend(pid) {_COMMANDS}")
        await blog.post(ada, f"{turn} after")
    assert len(await titles(blog)) == 30


async def test_a_connection_cut_in_the_middle_is_made_up_for(blog: Blog, store: CommandStore) -> None:
    post = await blog.post(await blog.user("ada"))
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await transaction.fetch(_EDIT, post.id, f"Attempt {attempts}")
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


async def test_a_statement_that_takes_too_long_is_ended(blog: Blog, make_store: MakeStore) -> None:
    store = await make_store(statement_timeout_seconds=0.05)

    async def work(transaction: Transaction) -> None:
        await transaction.fetch("SELECT pg_sleep(60)")

    with pytest.raises(Overloaded):
        await store.transact(work)
    await Blog(store, blog.sql).user("ada")


async def test_any_other_error_of_postgresql_reaches_the_caller(store: CommandStore) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.fetch(_FAIL.format(code="P0001"))

    with pytest.raises(asyncpg.RaiseError):
        await store.transact(work)
