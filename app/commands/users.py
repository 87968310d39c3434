"""Registering a user, and finding the account that someone wants to sign in to."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
from tortoise.exceptions import IntegrityError

from app.command_store import CommandStore, Committed, Transaction
from app.errors import EmailTaken, UsernameTaken
from app.events import UserRegistered
from app.idempotency import IdempotencyKey, once
from app.identity import email_addresses, usernames
from app.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser:
    """A new account. The password comes hashed, each time another way."""

    username: str
    email: str
    hashed_password: str = field(compare=False)


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


async def register_user(
    store: CommandStore, command: RegisterUser, *, key: IdempotencyKey | None = None
) -> Committed[RegisteredUser]:
    """Make the account; raises UsernameTaken or EmailTaken."""

    async def work(transaction: Transaction) -> RegisteredUser:
        user = await User.create(
            using_db=transaction.connection,
            username=command.username,
            username_key=usernames.key(command.username),
            username_skeleton=usernames.skeleton(command.username),
            email=email_addresses.normalized(command.email),
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
        return await store.transact(work, once=once(key, command, answers=RegisteredUser))
    except IntegrityError as error:
        raise _taken(error) from error


async def find_account(store: CommandStore, login: str) -> Account | None:
    """Return the account with that username, in any letter case, or e-mail address."""

    async def work(transaction: Transaction) -> Account | None:
        user = await user_by_login(transaction, login)
        if user is None:
            return None
        return Account(
            id=user.id,
            username=user.username,
            hashed_password=user.hashed_password,
            is_active=user.is_active,
        )

    return (await store.transact(work)).value


async def user_by_login(transaction: Transaction, login: str, *, lock: bool = False) -> User | None:
    """Return the user with that username or e-mail address; no username holds an @, and none goes beyond ASCII."""
    if "@" in login:
        address = email_addresses.sought(login)
        if address is None or len(address) > email_addresses.LONGEST:
            return None  # Tortoise refuses to compare with what would not fit the column
        named = User.filter(email=address)
    else:
        if not login.isascii() or len(login) > usernames.LONGEST:
            return None
        named = User.filter(username_key=usernames.key(login))
    if lock:
        named = named.select_for_update(no_key=True)
    return await named.using_db(transaction.connection).first()


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
