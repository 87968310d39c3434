"""Access tokens: only what this service signed for this purpose, and only until it expires."""

import base64
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine

from app.errors import Unauthenticated
from app.security.access_tokens import AccessTokens, Principal

KEY = "a-secret-that-only-these-tests-know"
ADA = Principal(id=uuid4(), username="ada")
TOKENS = AccessTokens(KEY, seconds=60)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": "inkfold",
        "aud": "inkfold-api",
        "sub": str(ADA.id),
        "name": "ada",
        "iat": now,
        "exp": now + 60,
        "jti": "one",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(
    payload: dict[str, Any], *, key: str = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None
) -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers or {"typ": "at+jwt"})


def unsigned(payload: dict[str, Any]) -> str:
    parts = [{"alg": "none", "typ": "at+jwt"}, payload]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def test_token_names_whom_it_was_issued_for() -> None:
    assert TOKENS.verify(TOKENS.issue(ADA)) == ADA
    assert TOKENS.verify(signed(claims())) == ADA


def test_two_tokens_of_the_same_moment_differ() -> None:
    assert TOKENS.issue(ADA) != TOKENS.issue(ADA)


def test_expired_token_says_that_it_expired() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        TOKENS.verify(signed(claims(exp=int(time.time()) - 1)))


def test_token_that_was_good_before_expires_all_the_same() -> None:
    token = TOKENS.issue(ADA)
    with time_machine.travel(time.time() + 59, tick=False):
        assert TOKENS.verify(token) == ADA
    with time_machine.travel(time.time() + 61, tick=False), pytest.raises(Unauthenticated, match="expired"):
        TOKENS.verify(token)


def test_token_is_good_only_as_it_was_signed_though_it_was_seen_before() -> None:
    token = TOKENS.issue(ADA)
    assert TOKENS.verify(token) == ADA
    for forged in (token[:-1], token + "A", token.upper()):
        with pytest.raises(Unauthenticated, match="not valid"):
            TOKENS.verify(forged)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned(claims()), id="unsigned"),
        pytest.param(signed(claims(), algorithm="HS512", key=KEY * 2), id="other algorithm"),
        pytest.param(signed(claims(), key="another-secret-that-is-long-enough"), id="other key"),
        pytest.param(signed(claims(), headers={"typ": "JWT"}), id="token for something else"),
        pytest.param(signed(claims(), headers={"typ": "at+jwt", "crit": ["x"], "x": 1}), id="unknown extension"),
        pytest.param(signed(claims(iss="someone")), id="other issuer"),
        pytest.param(signed(claims(aud="others")), id="other audience"),
        pytest.param(signed(claims(aud=["inkfold-api", "others"])), id="several audiences"),
        pytest.param(signed(claims(iat=int(time.time()) + 600)), id="issued in the future"),
        pytest.param(signed(claims(sub="ada")), id="subject is no id"),
        pytest.param(signed(claims(name=["ada"])), id="name is no text"),
        pytest.param(TOKENS.issue(ADA)[:-4], id="cut short"),
        pytest.param(TOKENS.issue(ADA) + "=" * 4096, id="far too long"),
        pytest.param("", id="empty"),
        pytest.param("not a token", id="no token"),
        pytest.param("a.b.c", id="three parts of nothing"),
        pytest.param("ключ.ключ.ключ", id="not ASCII"),
        *(
            pytest.param(signed(claims(**{name: None})), id=f"without {name}")
            for name in ("exp", "iat", "sub", "jti", "iss", "aud", "name")
        ),
    ],
)
def test_token_that_is_not_right_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(token)


def test_changed_payload_is_refused() -> None:
    head, payload, signature = TOKENS.issue(ADA).split(".")
    read = json.loads(base64.urlsafe_b64decode(payload + "=="))
    read["sub"] = str(uuid4())
    forged = base64.urlsafe_b64encode(json.dumps(read).encode()).decode().rstrip("=")

    with pytest.raises(Unauthenticated):
        TOKENS.verify(f"{head}.{forged}.{signature}")


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_key_that_is_too_short_opens_nothing() -> None:
    with pytest.raises(Unauthenticated):
        AccessTokens("short", seconds=60).verify(signed(claims(), key="short"))
