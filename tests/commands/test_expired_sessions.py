"""Refresh tokens that have run out are forgotten, by the worker, and nothing else is."""

from typing import Any

import pytest

from app.commands.expired_sessions import forget_expired_sessions
from app.commands.sessions import begin_session, rotate_session
from app.errors import InvalidRefreshToken
from projections import worker
from projections.projector import Projector
from tests.support.blog import Blog
from tests.support.waiting import until

_LEFT = "SELECT count(*) FROM refresh_tokens"
_EXPIRE = "UPDATE refresh_tokens SET expires_at = now()"


async def test_whole_families_that_have_run_out_are_forgotten_and_no_other(blog: Blog, projector: Projector) -> None:
    ada = await blog.user("ada")
    first = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    ended = (await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token
    for _ in range(3):
        await begin_session(blog.store, user_id=ada.id, days=1)
    await blog.sql.execute(_EXPIRE)
    standing = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token

    assert await forget_expired_sessions(projector.pool, chunk=2) == 5

    assert await blog.sql.fetchval(_LEFT) == 1
    for token in (first, ended):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)
    await rotate_session(blog.store, refresh_token=standing, days=1)


async def test_a_used_token_is_kept_as_long_as_its_replay_has_to_end_the_session(
    blog: Blog, projector: Projector
) -> None:
    first = (await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)).refresh_token
    await rotate_session(blog.store, refresh_token=first, days=1)
    await blog.sql.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 hour'")

    assert await projector.upkeep.forget_sessions() == 0

    with pytest.raises(InvalidRefreshToken):
        await rotate_session(blog.store, refresh_token=first, days=1)
    assert await blog.sql.fetchval(_LEFT) == 0


async def test_the_hourly_job_forgets_what_has_expired(blog: Blog, projector: Projector) -> None:
    await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)
    await blog.sql.execute(_EXPIRE)
    context: dict[Any, Any] = {"projector": projector, "beside": set()}

    await worker.prune(context)

    async def done() -> bool:
        return not context["beside"]

    await until(done)
    assert await blog.sql.fetchval(_LEFT) == 0
