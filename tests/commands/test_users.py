"""Registering: names and addresses are taken in any letter case; sessions: chains of tokens, each usable once."""

import asyncio
from uuid import uuid4

import pytest

from app.command_store import CommandStore
from app.commands.sessions import begin_session, end_session, rotate_session
from app.commands.users import RegisterUser, find_account, register_user, store_password_hash
from app.errors import EmailTaken, InvalidRefreshToken, Unauthenticated, UsernameTaken
from tests.support.blog import Blog, happened


def account(username: str, email: str | None = None) -> RegisterUser:
    return RegisterUser(username=username, email=email or f"{username}@example.org", hashed_password="hash")


async def test_an_account_is_stored_with_its_event(blog: Blog) -> None:
    committed = await register_user(blog.store, account("Ada", "Ada@Example.ORG"))
    user = committed.value
    assert (user.username, user.email, user.is_active) == ("Ada", "ada@example.org", True)
    row = await blog.sql.fetchrow("SELECT id, username, username_key, email, created_at, xmin::text FROM users")
    assert row is not None
    assert tuple(row) == (user.id, "Ada", "ada", "ada@example.org", user.created_at, committed.token)
    assert await happened(blog.sql) == [("UserRegistered", user.id, user.id, {})]


@pytest.mark.parametrize("username", ["ada", "Ada", "ADA"])
async def test_a_name_is_taken_in_any_letter_case(blog: Blog, username: str) -> None:
    await register_user(blog.store, account("aDa", "first@example.org"))
    with pytest.raises(UsernameTaken) as refused:
        await register_user(blog.store, account(username, "second@example.org"))
    assert refused.value.field == "username"
    assert len(await happened(blog.sql)) == 1


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@example.org", "Ada@Example.Org"])
async def test_an_address_is_taken_in_any_letter_case(blog: Blog, email: str) -> None:
    await register_user(blog.store, account("first", "ada@example.ORG"))
    with pytest.raises(EmailTaken) as refused:
        await register_user(blog.store, account("second", email))
    assert refused.value.field == "email"
    assert len(await happened(blog.sql)) == 1


async def test_of_many_registrations_of_one_name_exactly_one_succeeds(blog: Blog) -> None:
    commands = [account("ada" if number % 2 else "ADA", f"{number}@example.org") for number in range(20)]
    results = await asyncio.gather(*(register_user(blog.store, c) for c in commands), return_exceptions=True)
    assert sum(isinstance(result, UsernameTaken) for result in results) == 19
    assert await blog.sql.fetchval("SELECT count(*) FROM users") == 1
    assert len(await happened(blog.sql)) == 1


@pytest.mark.parametrize("login", ["Ada", "ada", "ADA", "a@example.org", "A@EXAMPLE.org"])
async def test_an_account_is_found_by_name_or_address(blog: Blog, login: str) -> None:
    user = (await register_user(blog.store, account("Ada", "a@example.org"))).value
    found = await find_account(blog.store, login)
    assert found is not None
    assert (found.id, found.username, found.hashed_password, found.is_active) == (user.id, "Ada", "hash", True)


async def test_an_unknown_login_finds_nobody(store: CommandStore) -> None:
    assert await find_account(store, "nobody") is None


async def test_a_password_is_hashed_anew_without_an_event(blog: Blog) -> None:
    ada = await blog.user("ada")
    await store_password_hash(blog.store, user_id=ada.id, hashed_password="stronger")
    assert await blog.sql.fetchval("SELECT hashed_password FROM users") == "stronger"
    assert len(await happened(blog.sql)) == 1


async def test_a_refresh_token_is_exchanged_for_the_next(blog: Blog) -> None:
    ada = await blog.user("ada")
    first = await begin_session(blog.store, user_id=ada.id, days=1)
    rotated = await rotate_session(blog.store, refresh_token=first, days=1)
    assert (rotated.user_id, rotated.username) == (ada.id, "ada")
    assert rotated.refresh_token != first
    stored = await blog.sql.fetch("SELECT token_hash FROM refresh_tokens")
    assert not {first, rotated.refresh_token} & {row[0] for row in stored}
    assert len(await happened(blog.sql)) == 1


async def test_a_lost_answer_may_be_asked_for_again_at_once(blog: Blog) -> None:
    first = await begin_session(blog.store, user_id=(await blog.user("ada")).id, days=1)
    tokens = [(await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token for _ in range(2)]
    for token in tokens:
        await rotate_session(blog.store, refresh_token=token, days=1)


async def test_a_token_used_again_later_ends_the_whole_chain_and_no_other(blog: Blog) -> None:
    ada = await blog.user("ada")
    first = await begin_session(blog.store, user_id=ada.id, days=1)
    elsewhere = await begin_session(blog.store, user_id=ada.id, days=1)
    second = (await rotate_session(blog.store, refresh_token=first, days=1)).refresh_token
    await blog.sql.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'")
    for token in (first, second):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)
    await rotate_session(blog.store, refresh_token=elsewhere, days=1)


async def test_expired_unknown_and_ended_tokens_are_refused_alike(blog: Blog) -> None:
    ada = await blog.user("ada")
    expired = await begin_session(blog.store, user_id=ada.id, days=-1)
    ended = await begin_session(blog.store, user_id=ada.id, days=1)
    await end_session(blog.store, refresh_token=ended)
    await end_session(blog.store, refresh_token="unknown")
    for token in (expired, ended, "unknown"):
        with pytest.raises(InvalidRefreshToken):
            await rotate_session(blog.store, refresh_token=token, days=1)


async def test_a_session_that_ends_while_it_is_renewed_has_ended(blog: Blog) -> None:
    ada = await blog.user("ada")
    for _ in range(20):
        token = await begin_session(blog.store, user_id=ada.id, days=1)
        await asyncio.gather(
            rotate_session(blog.store, refresh_token=token, days=1),
            end_session(blog.store, refresh_token=token),
            return_exceptions=True,
        )
        assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0


async def test_an_account_that_was_shut_gets_no_new_token(blog: Blog) -> None:
    ada = await blog.user("ada")
    token = await begin_session(blog.store, user_id=ada.id, days=1)
    await blog.sql.execute("UPDATE users SET is_active = false")
    with pytest.raises(InvalidRefreshToken):
        await rotate_session(blog.store, refresh_token=token, days=1)
    assert await blog.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 0


async def test_nobody_begins_a_session_who_is_not_there(store: CommandStore) -> None:
    with pytest.raises(Unauthenticated):
        await begin_session(store, user_id=uuid4(), days=1)
