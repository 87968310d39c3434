"""Issues and checks access tokens: JSON Web Tokens (RFC 7519, typed as RFC 9068 says), hardened as RFC 8725 asks.

app.api.auth issues, app.api.dependencies and the lane check. Whoever bears a token reads as its user until it expires;
whether it may still write, each command asks PostgreSQL (app.commands.callers).
"""

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import jwt

from app.errors import Unauthenticated

_ALGORITHM: Final = "HS256"
_TYPE: Final = "at+jwt"
_ISSUER: Final = "inkfold"
_AUDIENCE: Final = "inkfold-api"
_REQUIRED: Final = ["exp", "iat", "sub", "jti", "iss", "aud", "name"]
_EXPIRED: Final = "The access token has expired. Refresh it or sign in again."
_LONGEST: Final = 2_048
# As RFC 7515 writes 32 bytes at the end: PyJWT passes over padding and foreign characters, and over the last two bits.
_FORM: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]{42}[AEIMQUYcgkosw048]", re.ASCII)
#: Tokens whose signature need not be checked again; a client sends its own many times.
_MOST_KNOWN: Final = 4_096
#: What is signed to name a key. No token begins so: a token has no spaces.
_KEY_ID_LABEL: Final = b"id of this key"
_KEY_ID_BYTES: Final = 9
#: How far PostgreSQL's clock, by which tokens are issued, may be ahead of this machine's. Nothing lives longer by it.
_CLOCKS_APART_SECONDS: Final = 300


def _this_second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who sends a request, as the access token says, and in which second that was issued."""

    id: UUID
    username: str
    issued_at: datetime = field(default_factory=_this_second)


class AccessTokens:
    """Signs with one key of 32 characters or more, and accepts what the `former` ones have signed.

    A key stands for as long as the object does, and so does what is remembered of its tokens.
    """

    def __init__(self, key: str, *, seconds: int, former: Sequence[str] = ()) -> None:
        self._key = key
        self._key_id = key_id(key)
        self._keys = {key_id(each): each for each in (*former, key)}
        self.seconds = seconds
        self._known = lru_cache(_MOST_KNOWN)(self._read)

    def issue(self, principal: Principal) -> str:
        """Return a token that names the principal until it expires."""
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(principal.id),
            "name": principal.username,
            "iat": int(principal.issued_at.timestamp()),
            "exp": int(time.time()) + self.seconds,
            "jti": secrets.token_urlsafe(16),
        }
        headers = {"typ": _TYPE, "kid": self._key_id}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers=headers)

    def verify(self, token: str) -> Principal:
        """Return whom the token names; raises Unauthenticated when it isn't one of ours, or has expired."""
        try:
            principal, expires = self._known(token)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(_EXPIRED) from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:  # the latter of dates
            raise Unauthenticated("The access token is not valid. Sign in again.") from error
        if expires <= time.time():
            raise Unauthenticated(_EXPIRED)
        return principal

    def _read(self, token: str) -> tuple[Principal, int]:
        """Return whom the token names, and from which second on it doesn't."""
        if len(token) > _LONGEST or not _FORM.fullmatch(token):
            raise ValueError("longer than any token of ours, or in another form")
        key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise ValueError("signed with no key of ours")
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=_AUDIENCE,
            leeway=_CLOCKS_APART_SECONDS,
            options={"require": _REQUIRED, "strict_aud": True, "enforce_minimum_key_length": True},
        )
        if decoded["header"].get("typ") != _TYPE:
            raise ValueError("a token for something else")
        claims = decoded["payload"]
        if not isinstance(claims["name"], str):
            raise TypeError("the name is no text")
        issued_at = datetime.fromtimestamp(int(claims["iat"]), UTC)
        principal = Principal(id=UUID(claims["sub"]), username=claims["name"], issued_at=issued_at)
        return principal, int(claims["exp"])


def key_id(key: str) -> str:
    """Return the `kid` of a key: a keyed digest, from which nothing of the key can be told."""
    return urlsafe_b64encode(hmac.digest(key.encode(), _KEY_ID_LABEL, "sha256")[:_KEY_ID_BYTES]).decode()
