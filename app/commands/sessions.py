"""Sessions: chains of refresh tokens, each usable once. They are stored as digests and make no events."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.command_store import CommandStore, Transaction
from app.errors import InvalidRefreshToken
from app.ids import new_id
from app.models import RefreshToken, User

_LOCK_CHAIN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 2))"

#: A client whose answer got lost may use the same token again within this time, and gets a new one of the chain.
_RETRY_GRACE: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """Whose session went on, and the refresh token that takes the place of the one sent."""

    user_id: UUID
    username: str
    refresh_token: str


async def begin_session(store: CommandStore, *, user_id: UUID, days: int) -> str:
    """Begin a chain and return its first refresh token, good for `days`."""

    async def work(transaction: Transaction) -> str:
        return await _issue(transaction, user_id=user_id, family_id=new_id(), days=days)

    return (await store.transact(work)).value


async def rotate_session(store: CommandStore, *, refresh_token: str, days: int) -> Rotated:
    """Exchange a refresh token for its successor.

    A token used again after a short grace was stolen or leaked: the whole chain ends (RFC 9700, section 4.14.2).
    Raises InvalidRefreshToken.
    """

    async def work(transaction: Transaction) -> Rotated | None:
        found = await _find_alone(transaction, refresh_token)
        now = datetime.now(UTC)
        if found is None or found.expires_at <= now:
            return None
        if found.used_at is not None and found.used_at + _RETRY_GRACE <= now:
            await _revoke(transaction, found.family_id)
            return None
        user = await User.get(id=found.user_id, using_db=transaction.connection)
        if not user.is_active:
            await _revoke(transaction, found.family_id)
            return None
        if found.used_at is None:
            found.used_at = now
            await found.save(using_db=transaction.connection, update_fields=["used_at"])
        token = await _issue(transaction, user_id=user.id, family_id=found.family_id, days=days)
        return Rotated(user_id=user.id, username=user.username, refresh_token=token)

    rotated = (await store.transact(work)).value
    if rotated is None:
        raise InvalidRefreshToken
    return rotated


async def end_session(store: CommandStore, *, refresh_token: str) -> None:
    """End the chain that the token belongs to; an unknown token changes nothing."""

    async def work(transaction: Transaction) -> None:
        found = await _find_alone(transaction, refresh_token)
        if found is not None:
            await _revoke(transaction, found.family_id)

    await store.transact(work)


async def _find_alone(transaction: Transaction, refresh_token: str) -> RefreshToken | None:
    """Find a token with its chain to ourselves: a chain that ends must not grow a link meanwhile."""
    own = RefreshToken.filter(token_hash=_digest(refresh_token)).using_db(transaction.connection)
    found = await own.first()
    if found is None:
        return None
    await transaction.fetch(_LOCK_CHAIN, found.family_id)
    return await own.first()


async def _issue(transaction: Transaction, *, user_id: UUID, family_id: UUID, days: int) -> str:
    token = secrets.token_urlsafe(32)
    await RefreshToken.create(
        using_db=transaction.connection,
        user_id=user_id,
        family_id=family_id,
        token_hash=_digest(token),
        expires_at=datetime.now(UTC) + timedelta(days=days),
    )
    return token


async def _revoke(transaction: Transaction, family_id: UUID) -> None:
    await RefreshToken.filter(family_id=family_id).using_db(transaction.connection).delete()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
