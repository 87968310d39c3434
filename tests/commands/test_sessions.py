"""Sessions: chains of tokens, each usable once, all of which a user can end."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine

from app.command_store import CommandStore
from app.commands.activation import DeactivateUser, ReactivateUser, deactivate_user, reactivate_user
from app.commands.sessions import begin_session, end_all_sessions, end_session, rotate_session
from app.errors import AccessEnded, InvalidRefreshToken, Unauthenticated
from tests.support.blog import Blog, happened

_SINCE = "SELECT tokens_since FROM users WHERE id = $1"


async def test_a_refresh_token_is_exchanged_for_the_next(blog: Blog) -> None:
    ada = await blog.user("ada")
    first = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    rotated = await rotate_session(blog.store, refresh_token=first, days=1)
    assert (rotated.user_id, rotated.username) == (ada.id, "ada")
    assert rotated.refresh_token != first
    stored = await blog.sql.fetch("SELECT token_hash FROM refresh_tokens")
    assert not {first, rotated.refresh_token} & {row[0] for row in stored}
    assert len(await happened(blog.sql)) == 1


async def test_a_lost_answer_may_be_asked_for_again_at_once(blog: Blog) -> None:
    token = (await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)).refresh_token
    for _ in range(3):
        successors = [(await rotate_session(blog.store, refresh_token=token, days=1)).refresh_token for _ in range(3)]
        token = successors[-1]


@pytest.mark.parametrize("used_first", [0, 1])
async def test_of_two_who_hold_successors_of_one_token_only_one_goes_on_and_the_other_ends_the_session(
    blog: Blog, used_first: int
) -> None:
    first = (await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)).refresh_token
    successors = [(await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token for _ in range(2)]
    goes_on = (await rotate_session(blog.store, refresh_token=successors.pop(used_first), days=1)).refresh_token
    for token in (successors[0], goes_on):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)
    assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0


async def test_a_token_whose_successor_was_used_is_not_asked_for_again_by_whom_its_answer_got_lost(blog: Blog) -> None:
    first = (await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)).refresh_token
    second = (await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token
    third = (await rotate_session(blog.store, refresh_token=second, days=1)).refresh_token
    for token in (first, third):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)


async def test_two_who_exchange_one_token_at_once_get_tokens_of_which_one_counts(blog: Blog) -> None:
    token = (await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)).refresh_token
    at_once = (rotate_session(blog.store, refresh_token=token, days=1) for _ in range(5))
    successors = await asyncio.gather(*at_once)
    assert len({each.refresh_token for each in successors}) == 5

    results = await asyncio.gather(
        *(rotate_session(blog.store, refresh_token=each.refresh_token, days=1) for each in successors),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in results) == ["InvalidRefreshToken"] * 4 + ["Session"]
    assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0


@pytest.mark.parametrize("apart", [timedelta(hours=-1), timedelta(hours=1)])
async def test_machines_whose_clocks_are_apart_agree_when_a_token_was_used_and_runs_out(
    blog: Blog, apart: timedelta
) -> None:
    ada = await blog.user("ada")
    first = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    expired = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    await blog.sql.execute("UPDATE refresh_tokens SET expires_at = now() + interval '30 minutes'")
    await rotate_session(blog.store, refresh_token=first, days=1)
    with time_machine.travel(datetime.now(UTC) + apart):
        second = (await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token
        await rotate_session(blog.store, refresh_token=expired, days=1)
    await rotate_session(blog.store, refresh_token=second, days=1)
    left = "SELECT extract(epoch FROM max(expires_at) - now()) FROM refresh_tokens"
    assert 86_000 < await blog.sql.fetchval(left) <= 86_400


async def test_twenty_seconds_after_its_use_a_token_is_not_taken_again(blog: Blog) -> None:
    ada = await blog.user("ada")
    for seconds, taken in ((10, True), (20, False)):
        token = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
        await rotate_session(blog.store, refresh_token=token, days=1)
        await blog.sql.execute("UPDATE refresh_tokens SET used_at = used_at - $1 * interval '1 second'", seconds)
        if taken:
            await rotate_session(blog.store, refresh_token=token, days=1)
        else:
            with pytest.raises(InvalidRefreshToken):
                await rotate_session(blog.store, refresh_token=token, days=1)


async def test_a_token_used_again_later_ends_the_whole_chain_and_no_other(blog: Blog) -> None:
    ada = await blog.user("ada")
    first = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    elsewhere = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    second = (await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token
    await blog.sql.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'")
    for token in (first, second):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)
    await rotate_session(blog.store, refresh_token=elsewhere, days=1)


async def test_expired_unknown_and_ended_tokens_are_refused_alike(blog: Blog) -> None:
    ada = await blog.user("ada")
    expired = (await begin_session(blog.store, user_id=ada.id, days=-1)).refresh_token
    ended = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    await end_session(blog.store, refresh_token=ended)
    await end_session(blog.store, refresh_token="unknown")
    for token in (expired, ended, "unknown"):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)


async def test_a_session_that_ends_while_it_is_renewed_has_ended(blog: Blog) -> None:
    ada = await blog.user("ada")
    for _ in range(20):
        token = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
        await asyncio.gather(
            rotate_session(blog.store, refresh_token=token, days=1),
            end_session(blog.store, refresh_token=token),
            return_exceptions=True,
        )
        assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0


async def test_an_account_that_was_shut_gets_no_new_token(blog: Blog) -> None:
    ada = await blog.user("ada")
    token = (await begin_session(blog.store, user_id=ada.id, days=1)).refresh_token
    await blog.sql.execute("UPDATE users SET is_active = false")
    with pytest.raises(InvalidRefreshToken):
        await rotate_session(blog.store, refresh_token=token, days=1)
    assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0


async def test_nobody_begins_a_session_who_is_not_there(store: CommandStore) -> None:
    with pytest.raises(Unauthenticated):
        await begin_session(store, user_id=uuid4(), days=1)


async def test_ending_all_sessions_ends_every_chain_and_no_other_users(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    sessions = [await begin_session(blog.store, user_id=ada.id, days=1) for _ in range(3)]
    elsewhere = (await begin_session(blog.store, user_id=bob.id, days=1)).refresh_token

    await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=sessions[0].issued_at)

    for session in sessions:
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=session.refresh_token, days=1)
    await rotate_session(blog.store, refresh_token=elsewhere, days=1)
    assert await blog.sql.fetchval(_SINCE, bob.id) is None


async def test_what_is_issued_in_the_second_of_the_end_counts_and_what_was_issued_does_not(blog: Blog) -> None:
    """However often within one second."""
    ada = await blog.user("ada")
    issued = []
    for _ in range(5):
        session = await begin_session(blog.store, user_id=ada.id, days=1)
        refreshed = await rotate_session(blog.store, refresh_token=session.refresh_token, days=1)
        since = await blog.sql.fetchval(_SINCE, ada.id)
        for each in (session, refreshed):
            assert each.issued_at.microsecond == 0
            assert since is None or each.issued_at >= since
            issued.append(each.issued_at)
        await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=refreshed.issued_at)
        since = await blog.sql.fetchval(_SINCE, ada.id)
        assert all(before < since for before in issued)


async def test_an_access_token_that_was_ended_ends_no_session(blog: Blog) -> None:
    ada = await blog.user("ada")
    old = await begin_session(blog.store, user_id=ada.id, days=1)
    await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=old.issued_at)
    new = await begin_session(blog.store, user_id=ada.id, days=1)

    with pytest.raises(AccessEnded):
        await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=old.issued_at)

    await rotate_session(blog.store, refresh_token=new.refresh_token, days=1)


async def test_of_many_ends_at_once_by_one_token_only_one_is_admitted(blog: Blog) -> None:
    ada = await blog.user("ada")
    session = await begin_session(blog.store, user_id=ada.id, days=1)
    ends = [end_all_sessions(blog.store, user_id=ada.id, token_issued_at=session.issued_at) for _ in range(5)]

    results = await asyncio.gather(*ends, return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["AccessEnded"] * 4 + ["NoneType"]


async def test_a_session_renewed_or_begun_while_all_end_has_ended_or_counts(blog: Blog) -> None:
    ada = await blog.user("ada")
    for _ in range(20):
        session = await begin_session(blog.store, user_id=ada.id, days=1)
        _, renewed, begun = await asyncio.gather(
            end_all_sessions(blog.store, user_id=ada.id, token_issued_at=session.issued_at),
            rotate_session(blog.store, refresh_token=session.refresh_token, days=1),
            begin_session(blog.store, user_id=ada.id, days=1),
            return_exceptions=True,
        )
        since = await blog.sql.fetchval(_SINCE, ada.id)
        assert not isinstance(begun, BaseException)
        assert isinstance(renewed, InvalidRefreshToken) or renewed.issued_at < since  # type: ignore[union-attr]
        left = await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens")
        assert left == (1 if begun.issued_at >= since else 0)
        await blog.sql.execute("DELETE FROM refresh_tokens")


async def test_no_session_begun_while_an_account_is_shut_is_left(blog: Blog) -> None:
    ada = await blog.user("ada")
    for _ in range(20):
        await asyncio.gather(
            begin_session(blog.store, user_id=ada.id, days=1),
            deactivate_user(blog.store, DeactivateUser(login="ada")),
            return_exceptions=True,
        )
        assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0
        await reactivate_user(blog.store, ReactivateUser(login="ada"))


async def test_a_clock_that_was_set_back_revives_nothing(blog: Blog) -> None:
    ada = await blog.user("ada")
    await blog.sql.execute("UPDATE users SET tokens_since = date_trunc('second', now()) + interval '1 hour'")
    ahead = await blog.sql.fetchval(_SINCE, ada.id)

    session = await begin_session(blog.store, user_id=ada.id, days=1)
    await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=session.issued_at)

    assert session.issued_at == ahead
    assert await blog.sql.fetchval(_SINCE, ada.id) == ahead + timedelta(seconds=1)
