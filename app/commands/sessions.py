"""Sessions: chains of refresh tokens, each usable once. They are stored as digests and make no events.

Whatever gives out tokens holds the user's row while it does, so that no session outlives an end of all of them.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.command_store import CommandStore, Transaction
from app.commands.callers import admit
from app.errors import InvalidCredentials, InvalidRefreshToken
from app.ids import new_id
from app.models import RefreshToken

# An access token is issued by PostgreSQL's clock, as its end is, and in no second whose tokens were ended.
_HOLD_USER: Final = """
SELECT
    id,
    username,
    is_active,
    greatest(date_trunc('second', clock_timestamp()), tokens_since) AS issued_at
FROM users
WHERE id = $1
FOR SHARE
"""
_LOCK_CHAIN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 2))"

_LOCK_USER: Final = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"

# Tokens tell whole seconds: all that were issued end with this one, and those issued next are dated from its end on.
_END_ACCESS: Final = """
UPDATE users
SET tokens_since = greatest(date_trunc('second', clock_timestamp()), tokens_since) + interval '1 second'
WHERE id = $1
"""
_END_CHAINS: Final = """
WITH ended AS (
    DELETE FROM refresh_tokens WHERE user_id = $1 RETURNING family_id
)

SELECT count(DISTINCT family_id) AS sessions FROM ended
"""

#: A client whose answer got lost may use the same token again within this time, and gets a new one of the chain.
_RETRY_GRACE: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Whose session it is, the refresh token that it goes on by, and the second of which an access token is to be."""

    user_id: UUID
    username: str
    issued_at: datetime
    refresh_token: str


async def begin_session(store: CommandStore, *, user_id: UUID, days: int) -> Session:
    """Begin a chain of refresh tokens, good for `days`; raises InvalidCredentials for an account that was shut."""

    async def work(transaction: Transaction) -> Session:
        held = await transaction.fetch(_HOLD_USER, user_id)
        if not held or not held[0]["is_active"]:
            raise InvalidCredentials
        return await _issue(transaction, held[0], family_id=new_id(), days=days)

    return (await store.transact(work)).value


async def rotate_session(store: CommandStore, *, refresh_token: str, days: int) -> Session:
    """Exchange a refresh token for its successor.

    A token used again after a short grace was stolen or leaked: the whole chain ends (RFC 9700, section 4.14.2).
    Raises InvalidRefreshToken.
    """

    async def work(transaction: Transaction) -> Session | None:
        found, user = await _find_alone(transaction, refresh_token)
        now = datetime.now(UTC)
        if found is None or found.expires_at <= now:
            return None
        replayed = found.used_at is not None and found.used_at + _RETRY_GRACE <= now
        if replayed or not user["is_active"]:
            await _revoke(transaction, found.family_id)
            return None
        if found.used_at is None:
            found.used_at = now
            await found.save(using_db=transaction.connection, update_fields=["used_at"])
        return await _issue(transaction, user, family_id=found.family_id, days=days)

    rotated = (await store.transact(work)).value
    if rotated is None:
        raise InvalidRefreshToken
    return rotated


async def end_session(store: CommandStore, *, refresh_token: str) -> None:
    """End the chain that the token belongs to; an unknown token changes nothing."""

    async def work(transaction: Transaction) -> None:
        found, _ = await _find_alone(transaction, refresh_token)
        if found is not None:
            await _revoke(transaction, found.family_id)

    await store.transact(work)


async def end_all_sessions(store: CommandStore, *, user_id: UUID, token_issued_at: datetime) -> None:
    """End every chain of the user, and let no access token write that was issued until now; raises AccessEnded."""

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(_LOCK_USER, user_id)  # or of two requests with one token, both would be admitted
        await admit(transaction, user_id, token_issued_at)
        await end_tokens(transaction, user_id)

    await store.transact(work)


async def end_tokens(transaction: Transaction, user_id: UUID) -> int:
    """End every token of a user; return how many sessions that were.

    The user's row is changed first: whoever gives out tokens has it or waits, and what was given out is found then.
    """
    await transaction.fetch(_END_ACCESS, user_id)
    ended: int = (await transaction.fetch(_END_CHAINS, user_id))[0]["sessions"]
    return ended


async def _find_alone(transaction: Transaction, refresh_token: str) -> tuple[RefreshToken | None, dict[str, Any]]:
    """Find a token and its user, with the chain to ourselves: one that ends must not grow a link meanwhile."""
    own = RefreshToken.filter(token_hash=_digest(refresh_token)).using_db(transaction.connection)
    found = await own.first()
    if found is None:
        return None, {}
    held = await transaction.fetch(_HOLD_USER, found.user_id)
    if not held:
        return None, {}
    await transaction.fetch(_LOCK_CHAIN, found.family_id)
    return await own.first(), held[0]


async def _issue(transaction: Transaction, user: Mapping[str, Any], *, family_id: UUID, days: int) -> Session:
    token = secrets.token_urlsafe(32)
    await RefreshToken.create(
        using_db=transaction.connection,
        user_id=user["id"],
        family_id=family_id,
        token_hash=_digest(token),
        expires_at=datetime.now(UTC) + timedelta(days=days),
    )
    return Session(user_id=user["id"], username=user["username"], issued_at=user["issued_at"], refresh_token=token)


async def _revoke(transaction: Transaction, family_id: UUID) -> None:
    await RefreshToken.filter(family_id=family_id).using_db(transaction.connection).delete()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
