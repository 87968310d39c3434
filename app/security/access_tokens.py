"""Issues and checks access tokens: JSON Web Tokens (RFC 7519, typed as RFC 9068 says), hardened as RFC 8725 asks.

app.api.auth issues, app.api.dependencies checks. Whoever bears a token is its user until it expires.
"""

import secrets
import time
from dataclasses import dataclass
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
#: Tokens whose signature need not be checked again; a client sends its own many times.
_MOST_KNOWN: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who sends a request, as the access token says."""

    id: UUID
    username: str


class AccessTokens:
    """Signs with one key of 32 characters or more; tokens live for `seconds`."""

    def __init__(self, key: str, *, seconds: int) -> None:
        self._key = key
        self.seconds = seconds
        self._known = lru_cache(_MOST_KNOWN)(self._read)

    def issue(self, principal: Principal) -> str:
        """Return a token that names the principal until it expires."""
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(principal.id),
            "name": principal.username,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"typ": _TYPE})

    def verify(self, token: str) -> Principal:
        """Return whom the token names; raises Unauthenticated when it isn't one of ours, or has expired."""
        try:
            principal, expires = self._known(token)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(_EXPIRED) from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthenticated("The access token is not valid. Sign in again.") from error
        if expires <= time.time():
            raise Unauthenticated(_EXPIRED)
        return principal

    def _read(self, token: str) -> tuple[Principal, int]:
        """Return whom the token names, and from which second on it doesn't."""
        if len(token) > _LONGEST:
            raise ValueError("longer than any token of ours")
        decoded = jwt.decode_complete(
            token,
            self._key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=_AUDIENCE,
            options={"require": _REQUIRED, "strict_aud": True, "enforce_minimum_key_length": True},
        )
        if decoded["header"].get("typ") != _TYPE:
            raise ValueError("a token for something else")
        claims = decoded["payload"]
        if not isinstance(claims["name"], str):
            raise TypeError("the name is no text")
        return Principal(id=UUID(claims["sub"]), username=claims["name"]), int(claims["exp"])
