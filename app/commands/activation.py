"""Shutting an account and opening it again; `inkfold users` calls it.

A deactivated user is refused at once where tokens are given out and in every command. Reads go on until the access
token runs out, since they look at nothing but read tables.
"""

from dataclasses import dataclass

from app.command_store import CommandStore, Committed, Transaction
from app.commands.sessions import end_tokens
from app.commands.users import user_by_login
from app.errors import UserNotFound
from app.events import UserDeactivated, UserReactivated
from app.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class DeactivateUser:
    """Shut the account of that username or e-mail address; twice is as good as once."""

    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivateUser:
    """Open the account of that username or e-mail address; twice is as good as once."""

    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Whose account it is, whether that changed, and how many sessions ended."""

    username: str
    changed: bool
    ended_sessions: int = 0


async def deactivate_user(store: CommandStore, command: DeactivateUser) -> Committed[Activation]:
    """Shut the account and end all its tokens, for good: it signs in anew when it is opened. Raises UserNotFound."""

    async def work(transaction: Transaction) -> Activation:
        user = await _locked(transaction, command.login)
        if not user.is_active:
            return Activation(username=user.username, changed=False)
        await _set(transaction, user, is_active=False)
        ended = await end_tokens(transaction, user.id)
        transaction.record(UserDeactivated(subject_id=user.id, actor_id=user.id))
        return Activation(username=user.username, changed=True, ended_sessions=ended)

    return await store.transact(work)


async def reactivate_user(store: CommandStore, command: ReactivateUser) -> Committed[Activation]:
    """Open the account; raises UserNotFound."""

    async def work(transaction: Transaction) -> Activation:
        user = await _locked(transaction, command.login)
        if user.is_active:
            return Activation(username=user.username, changed=False)
        await _set(transaction, user, is_active=True)
        transaction.record(UserReactivated(subject_id=user.id, actor_id=user.id))
        return Activation(username=user.username, changed=True)

    return await store.transact(work)


async def _locked(transaction: Transaction, login: str) -> User:
    user = await user_by_login(transaction, login, lock=True)
    if user is None:
        raise UserNotFound
    return user


async def _set(transaction: Transaction, user: User, *, is_active: bool) -> None:
    user.is_active = is_active
    await user.save(using_db=transaction.connection, update_fields=["is_active"])
