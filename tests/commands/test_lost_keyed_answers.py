"""Commands with an idempotency key whose connection breaks: what nobody knows of is asked for, and never done twice."""

import asyncio
from contextlib import suppress

import pytest

from app.command_store import CommandStore
from app.commands.likes import ToggleLike, toggle_like
from app.commands.posts import PublishPost, publish_post
from app.errors import IdempotencyKeyInUse, OutcomeUnknown, Unavailable
from app.idempotency import IdempotencyKey
from projections.projector import Projector
from tests.commands.conftest import titles
from tests.support.blog import Blog, happened
from tests.support.tcp_proxy import COMMIT, TcpProxy, Then
from tests.support.waiting import until

KEY = IdempotencyKey(text="8e03978e-40d5-43dd-bc93-6894a57f9324", hours=24)

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
_CUT_COMMITS = """
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON posts
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();
"""


async def events(blog: Blog) -> list[str]:
    return [event[0] for event in await happened(blog.sql)]


async def test_a_post_whose_commit_went_unanswered_is_published_once(
    blog: Blog, far: CommandStore, proxy: TcpProxy
) -> None:
    command = PublishPost(author_id=(await blog.user()).id, title="Once", content="Text.")
    commit = proxy.trap(COMMIT, Then.CUT_AFTER)
    published = await publish_post(far, command, key=KEY)
    assert commit.sprung.is_set()
    assert (await events(blog)).count("PostPublished") == 1
    token = await blog.sql.fetchval("SELECT tx::text FROM event WHERE subject_id = $1", published.value.id)
    assert published.token == token
    assert await publish_post(blog.store, command, key=KEY) == published


async def test_a_toggle_whose_commit_went_unanswered_is_turned_once(
    blog: Blog, far: CommandStore, proxy: TcpProxy
) -> None:
    ada = await blog.user()
    toggle = ToggleLike(post_id=(await blog.post(ada)).id, user_id=ada.id)
    commit = proxy.trap(COMMIT, Then.CUT_AFTER)
    assert (await toggle_like(far, toggle, key=KEY)).value is True
    assert commit.sprung.is_set()
    assert (await events(blog)).count("PostLiked") == 1


async def test_what_never_was_committed_is_done_when_it_is_sent_again(blog: Blog) -> None:
    command = PublishPost(author_id=(await blog.user()).id, title="Once", content="Text.")
    await blog.sql.execute(_CUT_COMMITS)
    try:
        with pytest.raises(Unavailable):
            await publish_post(blog.store, command, key=KEY)
    finally:
        await blog.sql.execute("DROP FUNCTION cut CASCADE")
    assert await titles(blog) == set()
    await publish_post(blog.store, command, key=KEY)
    await publish_post(blog.store, command, key=KEY)
    assert (await events(blog)).count("PostPublished") == 1


async def test_while_postgresql_still_works_for_whoever_was_cut_off_the_outcome_is_unknown(
    blog: Blog, far: CommandStore, proxy: TcpProxy, projector: Projector
) -> None:
    async def blocked() -> bool:
        return bool(await projector.pool.fetchval(_BLOCKED))

    ada = await blog.user()
    post = await blog.post(ada)
    toggle = ToggleLike(post_id=post.id, user_id=ada.id)
    async with blog.sql.transaction():
        await blog.sql.execute("SELECT FROM posts WHERE id = $1 FOR UPDATE", post.id)
        liking = asyncio.create_task(toggle_like(far, toggle, key=KEY))
        await until(blocked)
        proxy.cut_all()
        with pytest.raises(OutcomeUnknown, match="same Idempotency-Key"):
            await liking

    async def liked() -> bool:
        with suppress(IdempotencyKeyInUse):  # until PostgreSQL has noticed
            return (await toggle_like(far, toggle, key=KEY)).value
        return False

    assert await until(liked) is True
    assert (await events(blog)).count("PostLiked") == 1
