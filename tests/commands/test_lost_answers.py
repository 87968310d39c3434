"""Commands of one statement whose connection breaks: done once, or said to be unknown, and never read too early."""

from collections import Counter

import pytest

from app.command_store import CommandStore, Committed
from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.errors import OutcomeUnknown
from projections.projector import Projector
from tests.support.blog import Blog, happened
from tests.support.tcp_proxy import EXECUTE, TcpProxy, Then

_CUT_ONCE = """
CREATE SEQUENCE commits;
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN
    IF nextval('commits') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON likes
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();
"""


async def likes(blog: Blog) -> Counter[str]:
    return Counter(event[0] for event in await happened(blog.sql) if event[0] in {"PostLiked", "PostUnliked"})


@pytest.mark.parametrize("command", ["like", "toggle"])
async def test_a_session_ended_before_its_commit_is_made_up_for(blog: Blog, command: str) -> None:
    ada = await blog.user()
    post = await blog.post(ada)
    await blog.sql.execute(_CUT_ONCE)
    try:
        if command == "like":
            committed = await like_post(blog.store, LikePost(post_id=post.id, user_id=ada.id))
        else:
            committed = await toggle_like(blog.store, ToggleLike(post_id=post.id, user_id=ada.id))
    finally:
        await blog.sql.execute("DROP FUNCTION cut CASCADE; DROP SEQUENCE commits")
    assert committed.value is True
    assert committed.token is not None
    assert await likes(blog) == {"PostLiked": 1}


# Each sends its statement through the proxy once before: what is lost next is the answer to it, not to its preparation.


async def test_a_like_whose_answer_got_lost_is_given_once(blog: Blog, far: CommandStore, proxy: TcpProxy) -> None:
    ada = await blog.user()
    post = await blog.post(ada)
    like = LikePost(post_id=post.id, user_id=ada.id)
    await like_post(far, like)
    await blog.unlike(post, ada)
    lost = proxy.trap(EXECUTE, Then.CUT_AFTER)
    assert await like_post(far, like) == Committed(value=True, token=None)
    assert lost.sprung.is_set()
    assert await likes(blog) == {"PostLiked": 2, "PostUnliked": 1}


async def test_a_like_is_taken_back_once_though_the_answer_got_lost(
    blog: Blog, far: CommandStore, proxy: TcpProxy
) -> None:
    ada = await blog.user()
    post = await blog.post(ada)
    unlike = UnlikePost(post_id=post.id, user_id=ada.id)
    await unlike_post(far, unlike)
    await blog.like(post, ada)
    lost = proxy.trap(EXECUTE, Then.CUT_AFTER)
    assert await unlike_post(far, unlike) == Committed(value=False, token=None)
    assert lost.sprung.is_set()
    assert await likes(blog) == {"PostLiked": 1, "PostUnliked": 1}


async def test_a_toggle_whose_answer_got_lost_has_an_unknown_outcome(
    blog: Blog, far: CommandStore, proxy: TcpProxy
) -> None:
    ada = await blog.user()
    post = await blog.post(ada)
    toggle = ToggleLike(post_id=post.id, user_id=ada.id)
    assert (await toggle_like(far, toggle)).value is True
    proxy.trap(EXECUTE, Then.CUT_AFTER)
    with pytest.raises(OutcomeUnknown):
        await toggle_like(far, toggle)
    assert await likes(blog) == {"PostLiked": 1, "PostUnliked": 1}
    assert (await toggle_like(far, toggle)).value is True


async def test_whoever_lost_an_answer_reads_what_came_of_it(
    blog: Blog, far: CommandStore, proxy: TcpProxy, projector: Projector
) -> None:
    ada = await blog.user()
    post = await blog.post(ada)
    like = LikePost(post_id=post.id, user_id=ada.id)
    await like_post(far, like)
    await blog.unlike(post, ada)
    await projector.redis.set("inkfold:tokens:since", 1)
    assert (await projector.cache.recall_tokens(ada.id)).trusted
    proxy.trap(EXECUTE, Then.CUT_AFTER)
    assert (await like_post(far, like)).token is None
    assert not (await projector.cache.recall_tokens(ada.id)).trusted
