"""Sessions: chains of refresh tokens, each usable once. They are stored as digests and make no events.

Whatever gives out tokens holds the user's row while it does, so that no session outlives an end of all of them. When
tokens are used and run out, PostgreSQL's clock says: one machine's tokens are used at another.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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

_FIND: Final = "SELECT user_id, family_id FROM refresh_tokens WHERE token_hash = $1"

# A client whose answer got lost uses its token again within seconds, and can't have used what that answer held.
_STATE: Final = """
SELECT
    t.used_at IS NULL AS fresh,
    t.expires_at <= clock_timestamp() AS expired,
    t.used_at IS NOT NULL AND (
        t.used_at + interval '20 seconds' <= clock_timestamp() OR EXISTS (
            SELECT FROM refresh_tokens successor
            WHERE successor.family_id = t.family_id
              AND successor.used_at > t.used_at
        )
    ) AS replayed
FROM refresh_tokens t
WHERE t.token_hash = $1
"""

# What else is unused are other successors of the same token, given out when it was used again. Of these one counts:
# whoever holds another is not the one that uses this, and is found out on trying.
_USE: Final = """
UPDATE refresh_tokens
SET used_at = CASE WHEN token_hash = $2 THEN clock_timestamp() ELSE 'epoch' END
WHERE family_id = $1 AND used_at IS NULL
"""
_ADD: Final = """
INSERT INTO refresh_tokens (id, user_id, family_id, token_hash, expires_at)
VALUES ($1, $2, $3, $4, clock_timestamp() + $5::int * interval '1 day')
"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Whose session it is, the refresh token that it goes on by, and the second of which an access token is to be."""

    user_id: UUID
    username: str
    issued_at: datetime
    refresh_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    family_id: UUID
    user: Mapping[str, Any]
    state: Mapping[str, Any]


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

    After a lost answer it may be exchanged again, soon and as long as no successor was used, for one more; of several
    successors the first that is used counts. Whatever else is used twice was stolen or leaked: the whole chain ends
    (RFC 9700, section 4.14.2). Raises InvalidRefreshToken.
    """
    digest = _digest(refresh_token)

    async def work(transaction: Transaction) -> Session | None:
        found = await _find_alone(transaction, digest)
        if found is None or found.state["expired"]:
            return None
        if found.state["replayed"] or not found.user["is_active"]:
            await _revoke(transaction, found.family_id)
            return None
        if found.state["fresh"]:
            await transaction.fetch(_USE, found.family_id, digest)
        return await _issue(transaction, found.user, family_id=found.family_id, days=days)

    rotated = (await store.transact(work)).value
    if rotated is None:
        raise InvalidRefreshToken
    return rotated


async def end_session(store: CommandStore, *, refresh_token: str) -> None:
    """End the chain that the token belongs to; an unknown token changes nothing."""

    async def work(transaction: Transaction) -> None:
        found = await _find_alone(transaction, _digest(refresh_token))
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


async def _find_alone(transaction: Transaction, digest: str) -> _Found | None:
    """Find a token and its user, with the chain to ourselves: one that ends must not grow a link meanwhile."""
    rows = await transaction.fetch(_FIND, digest)
    held = await transaction.fetch(_HOLD_USER, rows[0]["user_id"]) if rows else []
    if not held:
        return None
    family_id = rows[0]["family_id"]
    await transaction.fetch(_LOCK_CHAIN, family_id)
    state = await transaction.fetch(_STATE, digest)
    return _Found(family_id=family_id, user=held[0], state=state[0]) if state else None


async def _issue(transaction: Transaction, user: Mapping[str, Any], *, family_id: UUID, days: int) -> Session:
    token = secrets.token_urlsafe(32)
    await transaction.fetch(_ADD, new_id(), user["id"], family_id, _digest(token), days)
    return Session(user_id=user["id"], username=user["username"], issued_at=user["issued_at"], refresh_token=token)


async def _revoke(transaction: Transaction, family_id: UUID) -> None:
    await RefreshToken.filter(family_id=family_id).using_db(transaction.connection).delete()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
