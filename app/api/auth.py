"""Accounts and sessions over HTTP: register, sign in, refresh, sign out, and who one is."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from app.api.answers import command_answer, json_answer
from app.api.bodies import Credentials, Registration, SentRefreshToken
from app.api.dependencies import Config, Passwords, Reads, SignedIn, Store, Tokens
from app.api.frame.problems import UnsupportedMediaType, problems
from app.api.frame.rate_limits import count_sign_in
from app.api.frame.strict_json import JSON, StrictJsonRoute, media_type, read_json
from app.api.idempotency_keys import SentKey
from app.api.schemas import IssuedTokens, OwnAccount, RegisteredAccount
from app.commands.sessions import Session, begin_session, end_all_sessions, end_session, rotate_session
from app.commands.users import Account, RegisterUser, find_account, register_user, store_password_hash
from app.errors import (
    AccessEnded,
    EmailTaken,
    IdempotencyKeyReused,
    InvalidCredentials,
    InvalidInput,
    InvalidRefreshToken,
    ProjectionLagging,
    Unauthenticated,
    UsernameTaken,
)
from app.queries.profiles import GetMe
from app.security.access_tokens import AccessTokens, Principal
from app.security.passwords import PasswordHasher

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictJsonRoute)

_FORM: Final = "application/x-www-form-urlencoded"
_UNUSED_FORM_FIELDS: Final = frozenset({"grant_type", "scope", "client_id", "client_secret"})
_UNSTORED: Final = {"Cache-Control": "no-store"}

_LOGIN_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/Credentials"}},
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["password"]},
                        "username": {"type": "string", "description": "Or the e-mail address"},
                        "password": {"type": "string", "format": "password"},
                    },
                },
                "example": {"grant_type": "password", "username": "ada", "password": "correct horse battery"},
            },
        },
    }
}


@router.post(
    "/register/",
    summary="Register",
    status_code=201,
    response_model=RegisteredAccount,
    responses=problems(UsernameTaken, EmailTaken),
)
async def register(request: Request, body: Registration, store: Store, passwords: Passwords, key: SentKey) -> Response:
    """Make an account. Sign in with it next."""
    async with passwords.turn() as turn:
        hashed = await turn.hash(body.password)
    committed = await register_user(
        store, RegisterUser(username=body.username, email=body.email, hashed_password=hashed), key=key
    )
    if key is not None:
        account = await find_account(store, body.username)
        if account is not None and account.hashed_password != hashed:
            await _require_password(request, passwords, body, account)
    location = {"Location": f"/users/{committed.value.id}/"}
    return command_answer(committed, committed.value, status=201, headers=location)


async def _require_password(request: Request, passwords: PasswordHasher, body: Registration, account: Account) -> None:
    """Raise IdempotencyKeyReused unless what is sent again has the password that the account was made with."""
    await count_sign_in(request, body.username)  # a guess at a password, as at signing in
    async with passwords.turn() as turn:
        right = await turn.verify(body.password, account.hashed_password)
    if not right:
        raise IdempotencyKeyReused


async def _credentials(request: Request) -> Credentials:
    try:
        credentials = Credentials.model_validate(await _login_fields(request))
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        ) from error
    await count_sign_in(request, credentials.login)
    return credentials


async def _login_fields(request: Request) -> Any:
    if media_type(request) == JSON:
        return await read_json(request)
    if media_type(request) != _FORM:
        raise UnsupportedMediaType(f"Send the credentials as {JSON} or {_FORM}.")
    form = await request.form(max_files=0, max_fields=10)
    if len(form.multi_items()) > len(form):
        raise InvalidInput("Send each field once.")  # RFC 6749, section 3.2
    if form.get("grant_type", "password") != "password":
        raise InvalidInput("Only the grant type `password` is known here.", field="grant_type")
    return {name: value for name, value in form.items() if name not in _UNUSED_FORM_FIELDS}


@router.post(
    "/login/",
    summary="Sign in",
    response_model=IssuedTokens,
    responses=problems(InvalidCredentials),
    openapi_extra=_LOGIN_BODY,
)
async def login(
    body: Annotated[Credentials, Depends(_credentials)],
    store: Store,
    passwords: Passwords,
    tokens: Tokens,
    config: Config,
) -> Response:
    """Exchange a username or an e-mail address and the password for tokens; as JSON, or as an OAuth2 password form."""
    async with passwords.turn() as turn:
        account = await find_account(store, body.login)
        right = await turn.verify(body.password, account.hashed_password if account else None)
        if account is None or not right or not account.is_active:
            raise InvalidCredentials
        if passwords.needs_rehash(account.hashed_password):
            hashed = await turn.hash(body.password)
            await store_password_hash(store, user_id=account.id, hashed_password=hashed)
    return _issued(tokens, await begin_session(store, user_id=account.id, days=config.refresh_token_days))


@router.post("/refresh/", summary="Refresh", response_model=IssuedTokens, responses=problems(InvalidRefreshToken))
async def refresh(body: SentRefreshToken, store: Store, tokens: Tokens, config: Config) -> Response:
    """Exchange a refresh token for new tokens.

    Exchange it once. After a lost answer, a repetition within 20 seconds is accepted, unless what that answer held has
    been exchanged meanwhile. Any other repetition ends the session.
    """
    return _issued(
        tokens, await rotate_session(store, refresh_token=body.refresh_token, days=config.refresh_token_days)
    )


@router.post("/logout/", summary="Sign out", status_code=204, response_description="Signed out")
async def logout(body: SentRefreshToken, store: Store) -> Response:
    """End the session that the refresh token belongs to. Its access token runs out by itself."""
    await end_session(store, refresh_token=body.refresh_token)
    return Response(status_code=204, headers=_UNSTORED)


@router.post(
    "/logout-all/",
    summary="Sign out everywhere",
    status_code=204,
    response_description="Signed out everywhere",
    responses=problems(Unauthenticated, AccessEnded),
)
async def logout_everywhere(user: SignedIn, store: Store) -> Response:
    """End all your sessions, this one too, and sign in again where you like.

    No access token that was issued until now can write any more. It reads until it runs out.
    """
    await end_all_sessions(store, user_id=user.id, token_issued_at=user.issued_at)
    return Response(status_code=204, headers=_UNSTORED)


@router.get(
    "/me/",
    summary="Who am I",
    response_model=OwnAccount,
    responses=problems(Unauthenticated, ProjectionLagging),
)
async def get_me(viewer: SignedIn, reads: Reads) -> Response:
    """Your account, with counters."""
    profile = await reads.answer(GetMe(user_id=viewer.id))
    return json_answer(profile, headers={**reads.headers, **_UNSTORED})


def _issued(tokens: AccessTokens, session: Session) -> Response:
    principal = Principal(id=session.user_id, username=session.username, issued_at=session.issued_at)
    issued = {
        "access_token": tokens.issue(principal),
        "token_type": "bearer",
        "expires_in": tokens.seconds,
        "refresh_token": session.refresh_token,
    }
    return json_answer(issued, headers=_UNSTORED)
