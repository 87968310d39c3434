"""Accounts that are shut: what ends with them at once, and what comes back when they are opened."""

import asyncio

import pytest

from app.commands.activation import Activation, DeactivateUser, ReactivateUser, deactivate_user, reactivate_user
from app.commands.sessions import begin_session, end_all_sessions, rotate_session
from app.errors import AccessEnded, InvalidCredentials, InvalidRefreshToken, UserNotFound
from tests.support.blog import Blog, happened


@pytest.mark.parametrize("login", ["ada", "ADA", "Ada@Example.org"])
async def test_an_account_is_shut_with_all_its_sessions_and_an_event(blog: Blog, login: str) -> None:
    ada, bob = await blog.user("ada"), await blog.user("bob")
    sessions = [await begin_session(blog.store, user_id=ada.id, days=1) for _ in range(2)]
    await begin_session(blog.store, user_id=bob.id, days=1)

    committed = await deactivate_user(blog.store, DeactivateUser(login=login))

    assert committed.value == Activation(username="ada", changed=True, ended_sessions=2)
    assert committed.token is not None
    assert (await happened(blog.sql))[-1] == ("UserDeactivated", ada.id, ada.id, {})
    assert [row[0] for row in await blog.sql.fetch("SELECT user_id FROM refresh_tokens")] == [bob.id]
    with pytest.raises(InvalidRefreshToken):
        await rotate_session(blog.store, refresh_token=sessions[0].refresh_token, days=1)
    with pytest.raises(InvalidCredentials):
        await begin_session(blog.store, user_id=ada.id, days=1)
    with pytest.raises(AccessEnded):
        await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=sessions[0].issued_at)


async def test_shutting_and_opening_twice_is_as_good_as_once(blog: Blog) -> None:
    await blog.user("ada")
    for _ in range(2):
        shut = [(await deactivate_user(blog.store, DeactivateUser(login="ada"))) for _ in range(2)]
        opened = [(await reactivate_user(blog.store, ReactivateUser(login="ada"))) for _ in range(2)]
        assert [each.value.changed for each in shut + opened] == [True, False, True, False]
        assert [each.token is None for each in shut + opened] == [False, True, False, True]


async def test_of_many_who_shut_an_account_at_once_one_does(blog: Blog) -> None:
    await blog.user("ada")
    results = await asyncio.gather(*(deactivate_user(blog.store, DeactivateUser(login="ada")) for _ in range(8)))
    assert sum(result.value.changed for result in results) == 1
    assert [event[0] for event in await happened(blog.sql)] == ["UserRegistered", "UserDeactivated"]


async def test_what_was_signed_in_before_stays_ended_when_the_account_is_opened(blog: Blog) -> None:
    ada = await blog.user("ada")
    before = await begin_session(blog.store, user_id=ada.id, days=1)
    await deactivate_user(blog.store, DeactivateUser(login="ada"))
    await reactivate_user(blog.store, ReactivateUser(login="ada"))

    with pytest.raises(InvalidRefreshToken):
        await rotate_session(blog.store, refresh_token=before.refresh_token, days=1)
    with pytest.raises(AccessEnded):
        await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=before.issued_at)

    after = await begin_session(blog.store, user_id=ada.id, days=1)
    await end_all_sessions(blog.store, user_id=ada.id, token_issued_at=after.issued_at)


async def test_nobody_is_shut_who_is_not_there(blog: Blog) -> None:
    await blog.user("ian")
    longer = ("x" * 300, f"{'x' * 300}@example.org")
    for login in ("nobody", "nobody@example.org", "lan", "\N{KELVIN SIGN}", "", *longer):
        with pytest.raises(UserNotFound):
            await deactivate_user(blog.store, DeactivateUser(login=login))
        with pytest.raises(UserNotFound):
            await reactivate_user(blog.store, ReactivateUser(login=login))
