"""Commands that are sent with a key of the client's, so that each is done once however often it is sent.

What a command answered is kept by its own transaction, beside what it changed. The command store asks here in commands
that have a key, and only in those; the worker forgets what has expired.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from app.db import Pool
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused

T = TypeVar("T")

Fetch: TypeAlias = Callable[..., Awaitable[list[dict[str, Any]]]]

Admit: TypeAlias = Callable[[Fetch], Awaitable[None]]

CHUNK: Final = 10_000

#: Whoever has not signed in. All of them share one set of keys, so theirs must be hard to guess, as a UUID is.
ANYONE: Final = UUID(int=0)

# Whoever does not get the lock is told so: to wait would let a client that tries again hold connections.
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || $2::text, 3)) AS free"

# Not in one statement with the lock: that would look at what was there before it had the lock.
_RECALL: Final = """
SELECT fingerprint, answer::text AS answer, token::text AS token
FROM idempotency_key
WHERE sender_id = $1
  AND key = $2
  AND expires_at > now()
"""

# What stands there already has expired.
_KEEP: Final = """
INSERT INTO idempotency_key (sender_id, key, fingerprint, answer, token, expires_at)
VALUES (
    $1, $2, $3, $4::jsonb,
    CASE WHEN $5::boolean THEN pg_current_xact_id() END,
    now() + $6::float8 * interval '1 hour'
)
ON CONFLICT (sender_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint,
    answer = excluded.answer,
    token = excluded.token,
    expires_at = excluded.expires_at
"""

# Asked for twice: a key that is used anew while its deletion waits for that transaction stays.
_FORGET: Final = """
WITH expired AS (
    SELECT sender_id, key
    FROM idempotency_key
    WHERE expires_at <= now()
    ORDER BY expires_at
    LIMIT $1
),

forgotten AS (
    DELETE FROM idempotency_key k
    USING expired e
    WHERE k.sender_id = e.sender_id
      AND k.key = e.key
      AND k.expires_at <= now()
    RETURNING 1
)

SELECT count(*) FROM forgotten
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A key as a client sent it, and for how long the answer is kept under it."""

    text: str
    hours: float


@dataclass(frozen=True, slots=True)
class FirstAnswer(Generic[T]):
    """What a command answered when it was done, and its consistency token."""

    value: T
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once(Generic[T]):
    """A command to be done once: who sent it under which key, what it asks for, and the type of its answer.

    `admit` raises when its sender may not be answered any more; a command that is done asks by itself.
    """

    sender_id: UUID
    key: IdempotencyKey
    fingerprint: bytes
    answers: type[T]
    admit: Admit | None = None

    async def recall(self, fetch: Fetch) -> FirstAnswer[T] | None:
        """Return the first answer, None when there is none yet; the first thing that its transaction does.

        Until that ends, nobody else does the command. Raises IdempotencyKeyInUse when somebody does, and
        IdempotencyKeyReused when the key stands for another command; and what `admit` does.
        """
        if not (await fetch(_LOCK, self.sender_id, self.key.text))[0]["free"]:
            raise IdempotencyKeyInUse
        found = await fetch(_RECALL, self.sender_id, self.key.text)
        if not found:
            return None
        if self.admit is not None:
            await self.admit(fetch)
        if found[0]["fingerprint"] != self.fingerprint:
            raise IdempotencyKeyReused
        answers: Any = self.answers
        try:
            return FirstAnswer(_type(answers).validate_json(found[0]["answer"]), found[0]["token"])
        except ValidationError as error:
            raise IdempotencyKeyReused(
                "This Idempotency-Key was sent before this service was renewed, and its answer can't be read any more. "
                "What it asked for is done; look at it, and take a new key for what comes next."
            ) from error

    async def keep(self, fetch: Fetch, value: T, *, changed: bool) -> None:
        """Keep the answer; `changed` says whether the transaction has a token."""
        answer = orjson.dumps(value, default=str).decode()
        await fetch(_KEEP, self.sender_id, self.key.text, self.fingerprint, answer, changed, self.key.hours)


def once(
    key: IdempotencyKey | None, command: Any, *, by: UUID = ANYONE, answers: type[T], admit: Admit | None = None
) -> Once[T] | None:
    """Return the command, a dataclass, as one to be done once; None when it came without a key."""
    if key is None:
        return None
    return Once(sender_id=by, key=key, fingerprint=_fingerprint(command), answers=answers, admit=admit)


async def forget_expired(pool: Pool, *, chunk: int = CHUNK) -> int:
    """Drop the answers whose time has come, each chunk in a transaction of its own; return how many."""
    total = 0
    while forgotten := await pool.fetchval(_FORGET, chunk):
        total += forgotten
    return total


def _fingerprint(command: Any) -> bytes:
    """Return what tells two commands apart: their kind, and all fields that count when they are compared.

    A command stands for a method and a path, and its fields for a body whose fields may come in any order. A password's
    hash does not count, nor does the password: a quick digest of it beside the slow one would be the one to be broken.
    app.api.auth compares a password that is sent again with the slow one.
    """
    asked = {field.name: getattr(command, field.name) for field in fields(command) if field.compare}
    text = orjson.dumps([type(command).__name__, asked], default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()


@cache
def _type(answers: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(answers)
