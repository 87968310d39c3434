"""Registering a user, and finding the account that someone wants to sign in to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from tortoise.exceptions import IntegrityError

from app.command_store import CommandStore, Committed, Transaction
from app.errors import EmailTaken, UsernameTaken
from app.events import UserRegistered
from app.models import User

_LONGEST_EMAIL = 254
_LONGEST_USERNAME = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser:
    """A new account. The password comes hashed."""

    username: str
    email: str
    hashed_password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredUser:
    """The account as it was made."""

    id: UUID
    username: str
    email: str
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What signing in needs to know of a user."""

    id: UUID
    username: str
    hashed_password: str
    is_active: bool


async def register_user(store: CommandStore, command: RegisterUser) -> Committed[RegisteredUser]:
    """Make the account; raises UsernameTaken or EmailTaken."""

    async def work(transaction: Transaction) -> RegisteredUser:
        user = await User.create(
            using_db=transaction.connection,
            username=command.username,
            username_key=command.username.lower(),
            email=command.email.lower(),
            hashed_password=command.hashed_password,
        )
        transaction.record(UserRegistered(subject_id=user.id, actor_id=user.id))
        return RegisteredUser(
            id=user.id,
            username=user.username,
            email=user.email,
            is_active=user.is_active,
            created_at=user.created_at,
        )

    try:
        return await store.transact(work)
    except IntegrityError as error:
        raise _taken(error) from error


async def find_account(store: CommandStore, login: str) -> Account | None:
    """Return the account with that username, in any letter case, or e-mail address; no username holds an @."""
    key = login.lower()
    is_email = "@" in key
    if len(key) > (_LONGEST_EMAIL if is_email else _LONGEST_USERNAME):
        return None  # Tortoise refuses to compare with what would not fit the column

    async def work(transaction: Transaction) -> Account | None:
        named = User.filter(email=key) if is_email else User.filter(username_key=key)
        user = await named.using_db(transaction.connection).first()
        if user is None:
            return None
        return Account(
            id=user.id,
            username=user.username,
            hashed_password=user.hashed_password,
            is_active=user.is_active,
        )

    return (await store.transact(work)).value


async def store_password_hash(store: CommandStore, *, user_id: UUID, hashed_password: str) -> None:
    """Replace a password's hash by one of the present parameters."""

    async def work(transaction: Transaction) -> None:
        await User.filter(id=user_id).using_db(transaction.connection).update(hashed_password=hashed_password)

    await store.transact(work)


def _taken(error: IntegrityError) -> Exception:
    cause = error.__cause__
    constraint = cause.constraint_name if isinstance(cause, asyncpg.UniqueViolationError) else None
    if constraint is None:
        return error
    return EmailTaken(field="email") if "email" in constraint else UsernameTaken(field="username")
