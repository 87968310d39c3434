"""What routes are given: who asks, the command store, and a way to read that waits for what the client has written.

The only place that looks into the app's state.
"""

import re
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Header, Request
from fastapi.security import OAuth2PasswordBearer

from app.cache import Cache, Recalled
from app.command_store import CommandStore
from app.errors import InvalidInput, NotFound, Unauthenticated
from app.freshness import Fresh, Freshness
from app.queries.query import Query
from app.queries.reader import Reader
from app.replicas.routing import Replicas
from app.security.access_tokens import AccessTokens, Principal
from app.security.passwords import PasswordHasher
from app.settings import Settings

T = TypeVar("T")

SCHEME: Final = "Sign in"
OPTIONAL_SCHEME: Final = "Sign in, optionally"  # app.api.openapi writes it as an alternative to no security

_BY_HEADER: Final = "Consistency-Token"
_LONGEST_TOKEN: Final = 20  # digits of the greatest xid8
_XID8_END: Final = 2**64
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("[^"]*"|[^\s;]*)\s*)?(?:;.*)?', re.ASCII)

_bearer = OAuth2PasswordBearer("/auth/login/", scheme_name=SCHEME, auto_error=False)
_optional_bearer = OAuth2PasswordBearer("/auth/login/", scheme_name=OPTIONAL_SCHEME, auto_error=False)


# Coroutines, though they wait for nothing: FastAPI runs plain functions in a thread, which costs more than a route.
async def _config(request: Request) -> Settings:
    config: Settings = request.app.state.settings
    return config


async def _store(request: Request) -> CommandStore:
    store: CommandStore = request.app.state.store
    return store


async def _cache(request: Request) -> Cache:
    cache: Cache = request.app.state.cache
    return cache


async def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.reader
    return reader


async def _freshness(request: Request) -> Freshness:
    freshness: Freshness = request.app.state.freshness
    return freshness


async def _replicas(request: Request) -> Replicas:
    replicas: Replicas = request.app.state.replicas
    return replicas


async def _passwords(request: Request) -> PasswordHasher:
    passwords: PasswordHasher = request.app.state.passwords
    return passwords


async def _access_tokens(request: Request) -> AccessTokens:
    access_tokens: AccessTokens = request.app.state.access_tokens
    return access_tokens


Config = Annotated[Settings, Depends(_config)]
Store = Annotated[CommandStore, Depends(_store)]
TopCache = Annotated[Cache, Depends(_cache)]
ReadPool = Annotated[Reader, Depends(_reader)]
Watch = Annotated[Freshness, Depends(_freshness)]
Sources = Annotated[Replicas, Depends(_replicas)]
Passwords = Annotated[PasswordHasher, Depends(_passwords)]
Tokens = Annotated[AccessTokens, Depends(_access_tokens)]


async def maybe_signed_in(
    request: Request, tokens: Tokens, _: Annotated[str | None, Depends(_optional_bearer)]
) -> Principal | None:
    """Return who asks, or None without an Authorization header; a header that is not right is 401 all the same."""
    return _principal(request, tokens)


async def signed_in(request: Request, tokens: Tokens, _: Annotated[str | None, Depends(_bearer)]) -> Principal:
    """Return who asks; raises Unauthenticated."""
    principal = _principal(request, tokens)
    if principal is None:
        raise Unauthenticated
    return principal


def _principal(request: Request, tokens: AccessTokens) -> Principal | None:
    sent = request.headers.getlist("authorization")
    if not sent:
        return None
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":
        raise Unauthenticated
    return tokens.verify(token.strip())


SignedIn = Annotated[Principal, Depends(signed_in)]
MaybeSignedIn = Annotated[Principal | None, Depends(maybe_signed_in)]


class ReadSession:
    """Reads for one request. `headers` holds what the answer must say about what was read."""

    def __init__(
        self,
        sources: Replicas,
        *,
        sent: tuple[int, ...],
        remembered: tuple[int, ...],
        confirm: bool,
        accept_stale: bool,
    ) -> None:
        self.tokens = sent + remembered
        self.confirm = confirm
        self.headers: dict[str, str] = {}
        self._sources = sources
        self._sent = sent
        self._accept_stale = accept_stale

    async def answer(self, query: Query[T]) -> T:
        """Return what the query finds, else raise its `missing`; raises ProjectionLagging past the wait limit."""
        try:
            fresh = await self._fresh(query, self.tokens, confirm=self.confirm)
        except InvalidInput as error:
            if error.field != _BY_HEADER or self.tokens == self._sent:
                raise
            # What was remembered is of a former primary, which fell over before the present one had that commit.
            fresh = await self._fresh(query, self._sent, confirm=True)
        if fresh.stale:
            self.headers["Preference-Applied"] = "stale"
        if fresh.value is None:
            missing: Any = getattr(query, "missing", NotFound)
            raise missing
        return fresh.value

    async def _fresh(self, query: Query[T], tokens: tuple[int, ...], *, confirm: bool) -> Fresh[T]:
        return await self._sources.answer(query, tokens=tokens, confirm=confirm, accept_stale=self._accept_stale)


async def read_session(
    cache: TopCache,
    sources: Sources,
    viewer: MaybeSignedIn,
    consistency_token: Annotated[
        str | None,
        Header(
            description="A token that a command answered with: wait until it is reflected. "
            "Whoever is signed in needs none for what they wrote themselves.",
            examples=["1207"],
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        Header(
            description="`stale`: after the wait for what was written, answer with what there is rather than 503.",
            examples=["stale"],
        ),
    ] = None,
) -> ReadSession:
    """Return reads that reflect the token sent and, for whoever is signed in, their own last write."""
    recalled = Recalled((), trusted=True) if viewer is None else await cache.recall_tokens(viewer.id)
    return ReadSession(
        sources,
        sent=() if consistency_token is None else (_consistency_token(consistency_token),),
        remembered=recalled.tokens,
        confirm=not recalled.trusted,
        accept_stale=prefers_stale(prefer or ""),
    )


Reads = Annotated[ReadSession, Depends(read_session)]


def prefers_stale(header: str) -> bool:
    """Say whether a Prefer header (RFC 7240, section 2) has the preference `stale`."""
    matches = (_PREFERENCE.fullmatch(preference) for preference in header.split(","))
    return any(match and match[1].lower() == "stale" and not match[2] for match in matches)


def _consistency_token(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_TOKEN and int(text) < _XID8_END:
        return int(text)
    raise InvalidInput("This token was not given by this service.", field=_BY_HEADER)
