"""Access tokens: only what this service signed for this purpose, and only until it expires."""

import base64
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine

from app.errors import Unauthenticated
from app.security.access_tokens import AccessTokens, Principal, key_id

KEY = "a-secret-that-only-these-tests-know"
OTHER_KEY = "another-secret-that-is-long-enough"
HEADERS = {"typ": "at+jwt", "kid": key_id(KEY)}
ADA = Principal(id=uuid4(), username="ada")
TOKENS = AccessTokens(KEY, seconds=60)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": "inkfold",
        "aud": "inkfold-api",
        "sub": str(ADA.id),
        "name": "ada",
        "iat": int(ADA.issued_at.timestamp()),
        "exp": now + 60,
        "jti": "one",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(
    payload: dict[str, Any], *, key: str = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None
) -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers or HEADERS)


def unsigned(payload: dict[str, Any]) -> str:
    parts = [{"alg": "none", **HEADERS}, payload]
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


def test_token_is_good_in_one_form_only() -> None:
    """Whatever its signature's bytes can be written as beside it is no token."""
    token = TOKENS.issue(ADA)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = {token[:-1] + letter for letter in alphabet} - {token}
    others |= {token + more for more in ("=", "==", "!", " ", "\n", "\xa0", "\x00", ".", ".x")}
    others |= {f"{token[:-5]}{more}{token[-5:]}" for more in ("=", "!", " ", "\n", "+", "/")}
    for other in others:
        with pytest.raises(Unauthenticated, match="not valid"):
            TOKENS.verify(other)
    assert TOKENS.verify(token) == ADA


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned(claims()), id="unsigned"),
        pytest.param(signed(claims(), algorithm="HS512", key=KEY * 2), id="other algorithm"),
        pytest.param(signed(claims(), key=OTHER_KEY), id="other key"),
        pytest.param(signed(claims(), key=OTHER_KEY, headers={**HEADERS, "kid": key_id(OTHER_KEY)}), id="unknown kid"),
        pytest.param(signed(claims(), headers={"typ": "at+jwt"}), id="no kid"),
        pytest.param(signed(claims(), headers={**HEADERS, "kid": ""}), id="empty kid"),
        pytest.param(signed(claims(), headers={**HEADERS, "typ": "JWT"}), id="token for something else"),
        pytest.param(signed(claims(), headers={**HEADERS, "crit": ["x"], "x": 1}), id="unknown extension"),
        pytest.param(signed(claims(iss="someone")), id="other issuer"),
        pytest.param(signed(claims(aud="others")), id="other audience"),
        pytest.param(signed(claims(aud=["inkfold-api", "others"])), id="several audiences"),
        pytest.param(signed(claims(iat=int(time.time()) + 600)), id="issued in the future"),
        pytest.param(signed(claims(iat="yesterday")), id="issued at no time"),
        pytest.param(signed(claims(iat=-(10**18))), id="issued before all time"),
        pytest.param(signed(claims(sub="ada")), id="subject is no id"),
        pytest.param(signed(claims(name=["ada"])), id="name is no text"),
        pytest.param(TOKENS.issue(ADA)[:-4], id="cut short"),
        pytest.param(signed(claims(name="a" * 2_048)), id="far too long"),
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
        AccessTokens("short", seconds=60).verify(
            signed(claims(), key="short", headers={**HEADERS, "kid": key_id("short")})
        )


def test_key_that_signed_before_is_accepted_and_signs_no_more() -> None:
    before, after = AccessTokens(KEY, seconds=60), AccessTokens(OTHER_KEY, seconds=60, former=[KEY])

    assert after.verify(before.issue(ADA)) == ADA
    assert after.verify(after.issue(ADA)) == ADA
    assert jwt.get_unverified_header(after.issue(ADA))["kid"] == key_id(OTHER_KEY)
    with pytest.raises(Unauthenticated):
        before.verify(after.issue(ADA))


def test_token_that_was_seen_before_goes_with_its_key() -> None:
    token = AccessTokens(KEY, seconds=60).issue(ADA)
    for _ in range(2):  # and is remembered
        assert AccessTokens(OTHER_KEY, seconds=60, former=[KEY]).verify(token) == ADA

    with pytest.raises(Unauthenticated, match="not valid"):
        AccessTokens(OTHER_KEY, seconds=60).verify(token)


def test_former_key_verifies_nothing_that_names_another() -> None:
    forged = signed(claims(), key=KEY, headers={**HEADERS, "kid": key_id(OTHER_KEY)})

    with pytest.raises(Unauthenticated):
        AccessTokens(OTHER_KEY, seconds=60, former=[KEY]).verify(forged)


def test_name_of_a_key_is_the_same_each_time_and_holds_nothing_of_it() -> None:
    assert key_id(KEY) == key_id(KEY)
    assert len({key_id(KEY), key_id(OTHER_KEY), key_id(KEY + "x")}) == 3
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", key_id(KEY))


def test_token_bears_the_second_that_it_was_issued_in() -> None:
    then = Principal(id=ADA.id, username="ada", issued_at=datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC))

    assert TOKENS.verify(TOKENS.issue(then)).issued_at == then.issued_at


def test_token_issued_by_a_clock_that_is_ahead_is_accepted_and_lives_no_longer() -> None:
    ahead = Principal(
        id=ADA.id, username="ada", issued_at=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
    )
    token = TOKENS.issue(ahead)

    assert TOKENS.verify(token) == ahead
    with time_machine.travel(time.time() + 61, tick=False), pytest.raises(Unauthenticated, match="expired"):
        TOKENS.verify(token)
