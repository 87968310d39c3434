"""Access tokens over HTTP: whatever this service has not signed for this purpose opens no route, the lane's neither."""

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import orjson
import pytest

from app.security.access_tokens import key_id
from app.settings import Settings
from projections.projector import Projector
from tests.support.people import Person, SignUp

ANOTHER_KEY = "a-secret-that-this-service-never-had"


def parts(person: Person) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a person's good token."""
    head, claims, _ = person.headers["Authorization"].removeprefix("Bearer ").split(".")
    return orjson.loads(_decoded(head)), orjson.loads(_decoded(claims))


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def unsigned(person: Person, _: str) -> str:
    header, claims = parts(person)
    return jwt.encode(claims, None, algorithm="none", headers={**header, "alg": "none"})


def signed(
    change: Callable[[dict[str, Any], dict[str, Any]], None], *, key: str | None = None, algorithm: str = "HS256"
) -> Callable[[Person, str], str]:
    """Return what makes the person's token anew after a change of its header and claims."""

    def make(person: Person, secret: str) -> str:
        header, claims = parts(person)
        header.pop("alg")
        change(header, claims)
        return jwt.encode(claims, key or secret, algorithm=algorithm, headers=header)

    return make


def unchanged(_: dict[str, Any], __: dict[str, Any]) -> None:
    pass


FORGED: dict[str, Callable[[Person, str], str]] = {
    "unsigned": unsigned,
    "other algorithm": signed(unchanged, algorithm="HS512", key="k" * 64),
    "other algorithm with the key": signed(unchanged, algorithm="HS384"),
    "other key": signed(unchanged, key=ANOTHER_KEY),
    "other key that it names": signed(lambda head, _: head.update(kid=key_id(ANOTHER_KEY)), key=ANOTHER_KEY),
    "no kid": signed(lambda head, _: head.pop("kid")),
    "kid that is a path": signed(lambda head, _: head.update(kid="../../dev/null"), key=" " * 32),
    "no expiry": signed(lambda _, claims: claims.pop("exp")),
    "expired": signed(lambda _, claims: claims.update(exp=int(time.time()) - 1)),
    "expired long ago": signed(lambda _, claims: claims.update(exp=1)),
    "of another service": signed(lambda _, claims: claims.update(iss="someone")),
    "for another service": signed(lambda _, claims: claims.update(aud="others")),
    "for another purpose": signed(lambda head, _: head.update(typ="JWT")),
    "refresh token": lambda person, _: person.refresh_token,
}


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
@pytest.mark.parametrize("forged", FORGED)
async def test_forged_token_is_401_wherever_it_is_sent(
    signed_up: SignUp, api: httpx.AsyncClient, config: Settings, forged: str
) -> None:
    ada = await signed_up("ada")
    post = await ada.publish()
    token = FORGED[forged](ada, config.secret_key.get_secret_value())
    headers = {"Authorization": f"Bearer {token}"}

    answers = [
        await api.get("/auth/me/", headers=headers),
        await api.get("/posts/", headers=headers),
        await api.get("/feed/", headers=headers),
        await api.put(f"/posts/{post}/like/", headers=headers),
        await api.post("/posts/", json={"title": "T", "content": "C"}, headers=headers),
        await api.post("/auth/logout-all/", headers=headers),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert {answer.json()["type"] for answer in answers} == {"/problems/unauthenticated"}


async def test_token_made_in_the_same_way_and_not_changed_is_good(
    signed_up: SignUp, api: httpx.AsyncClient, config: Settings, projector: Projector
) -> None:
    ada = await signed_up("ada")
    await projector.fold()
    token = signed(unchanged)(ada, config.secret_key.get_secret_value())

    assert (await api.get("/feed/", headers={"Authorization": f"Bearer {token}"})).status_code == 200
