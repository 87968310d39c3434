"""Registering: names and addresses are taken in any letter case, and names by those that look alike."""

import asyncio

import pytest

from app.command_store import CommandStore
from app.commands.users import RegisterUser, find_account, register_user, store_password_hash
from app.errors import EmailTaken, UsernameTaken
from tests.support.blog import Blog, happened


def account(username: str, email: str | None = None) -> RegisterUser:
    return RegisterUser(username=username, email=email or f"{username}@example.org", hashed_password="hash")


async def test_an_account_is_stored_with_its_event(blog: Blog) -> None:
    committed = await register_user(blog.store, account("Ada", "Ada@Example.ORG"))
    user = committed.value
    assert (user.username, user.email, user.is_active) == ("Ada", "ada@example.org", True)
    row = await blog.sql.fetchrow(
        "SELECT id, username, username_key, username_skeleton, email, created_at, xmin::text FROM users"
    )
    assert row is not None
    assert tuple(row) == (user.id, "Ada", "ada", "ada", "ada@example.org", user.created_at, committed.token)
    assert await happened(blog.sql) == [("UserRegistered", user.id, user.id, {})]


@pytest.mark.parametrize("username", ["ada", "Ada", "ADA"])
async def test_a_name_is_taken_in_any_letter_case(blog: Blog, username: str) -> None:
    await register_user(blog.store, account("aDa", "first@example.org"))
    with pytest.raises(UsernameTaken) as refused:
        await register_user(blog.store, account(username, "second@example.org"))
    assert refused.value.field == "username"
    assert len(await happened(blog.sql)) == 1


@pytest.mark.parametrize(
    ("taken", "username"), [("Ian", "lan"), ("bob", "B0B"), ("arnold", "amold"), ("vvi11", "will")]
)
async def test_a_name_is_taken_by_one_that_looks_like_it(blog: Blog, taken: str, username: str) -> None:
    await register_user(blog.store, account(taken))
    with pytest.raises(UsernameTaken) as refused:
        await register_user(blog.store, account(username, "second@example.org"))
    assert refused.value.field == "username"
    assert len(await happened(blog.sql)) == 1


async def test_who_bears_a_name_that_looks_alike_from_before_is_left_alone(blog: Blog) -> None:
    await register_user(blog.store, account("Ian"))
    lan = (await register_user(blog.store, account("another"))).value
    await blog.sql.execute(
        "UPDATE users SET username = 'lan', username_key = 'lan', username_skeleton = NULL WHERE id = $1", lan.id
    )
    found = await find_account(blog.store, "LAN")
    assert found is not None
    assert found.id == lan.id
    with pytest.raises(UsernameTaken):
        await register_user(blog.store, account("1an", "third@example.org"))


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


@pytest.mark.parametrize(
    "login", ["\N{KELVIN SIGN}evin", "\N{KELVIN SIGN}evin@example.org", "kev1n", "kevin@\N{KELVIN SIGN}example.org"]
)
async def test_no_account_is_found_by_what_only_looks_like_it(blog: Blog, login: str) -> None:
    await register_user(blog.store, account("Kevin"))
    assert await find_account(blog.store, login) is None


async def test_an_account_is_found_by_either_form_of_its_domain(blog: Blog) -> None:
    umlaut = "ada@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"
    user = (await register_user(blog.store, account("ada", umlaut))).value
    assert user.email == "ada@xn--bcher-kva.example"
    for login in (umlaut, umlaut.upper(), user.email):
        found = await find_account(blog.store, login)
        assert found is not None
        assert found.id == user.id


async def test_a_password_is_hashed_anew_without_an_event(blog: Blog) -> None:
    ada = await blog.user("ada")
    await store_password_hash(blog.store, user_id=ada.id, hashed_password="stronger")
    assert await blog.sql.fetchval("SELECT hashed_password FROM users") == "stronger"
    assert len(await happened(blog.sql)) == 1
