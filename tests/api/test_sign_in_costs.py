"""What a sign-in costs: the same work whoever is asked for, so that nobody learns who has an account."""

from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import FastAPI

from app.security.passwords import SCHEME, PasswordHasher
from projections.engine.checkpoint import Connection
from tests.support.people import PASSWORD, SignUp

TODAYS = "$argon2id$v=19$m=19456,t=2,p=1$"


class Counted(SCHEME):  # type: ignore[misc]  # passlib is untyped
    """The scheme of every account, which notes what it compares with."""

    compared: ClassVar[list[str]] = []

    @classmethod
    def verify(cls, secret: str, hashed: str, **context: Any) -> bool:
        cls.compared.append(hashed)
        return bool(super().verify(secret, hashed, **context))


@pytest.fixture
def compared(application: FastAPI) -> Iterator[list[str]]:
    """The hashes that passwords were compared with."""
    usual = application.state.passwords
    application.state.passwords = PasswordHasher(threads=1, queue=8, scheme=Counted)
    Counted.compared.clear()
    yield Counted.compared
    application.state.passwords.close()
    application.state.passwords = usual


async def test_every_sign_in_computes_one_hash_of_the_same_cost(
    api: httpx.AsyncClient, signed_up: SignUp, sql: Connection, compared: list[str]
) -> None:
    await signed_up("ada")
    await signed_up("shut")
    await sql.execute("UPDATE users SET is_active = false WHERE username = 'shut'")
    attempts = [
        ("ada", PASSWORD, 200),
        ("ada", "wrong password", 401),
        ("shut", PASSWORD, 401),
        ("shut", "wrong password", 401),
        ("nobody", PASSWORD, 401),
        ("nobody@example.org", PASSWORD, 401),
        ("no such name: " + "x" * 200, PASSWORD, 401),
        ("\N{KELVIN SIGN}evin", PASSWORD, 401),
        ("not@an@address", PASSWORD, 401),
    ]
    refusals = set()
    for login, password, status in attempts:
        compared.clear()
        answer = await api.post("/auth/login/", json={"username": login, "password": password})
        assert answer.status_code == status, login
        assert len(compared) == 1, login
        assert compared[0].startswith(TODAYS), login
        if status == 401:
            answer.headers.pop("x-request-id")
            refusals.add((answer.content, tuple(answer.headers.raw)))
    assert len(refusals) == 1
