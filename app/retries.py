"""Tries a command again where PostgreSQL asks for it, or where its connection broke and no harm can come of it.

The command store runs every attempt through here.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import asyncpg
from tortoise.exceptions import IntegrityError

from app.errors import IdempotencyKeyInUse, OutcomeUnknown, Overloaded, Unauthenticated, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES: Final = 4
_RETRYABLE: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


class ConnectionLostError(Exception):
    """The connection broke, and what it was to do may be done again."""


async def persist(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what an attempt comes to; raises Unavailable when the last one fails, too."""
    lost = False
    for number in range(1, _TRIES + 1):
        try:
            # In a task of its own: a BEGIN that fails leaves Tortoise's context variable broken for its task,
            # and a request that is cancelled must not leave a connection half-way.
            return await asyncio.shield(asyncio.create_task(attempt()))
        except (*_RETRYABLE, ConnectionLostError) as error:
            if number == _TRIES:
                raise Unavailable from error
            lost = lost or isinstance(error, ConnectionLostError)
            log.info("Trying a command again after %s.", type(error).__name__)
        except IdempotencyKeyInUse as error:
            if not lost:
                raise
            # By the attempt before: PostgreSQL has not noticed yet that nobody is at the other end.
            raise OutcomeUnknown(
                "The connection to the database broke while the change was being stored. "
                "Send it again with the same Idempotency-Key: it is done once."
            ) from error
        except (IntegrityError, asyncpg.ForeignKeyViolationError) as error:
            if isinstance(error.__cause__ or error, asyncpg.ForeignKeyViolationError):
                raise Unauthenticated("This account does not exist any more. Register again.") from error
            raise
        except asyncpg.QueryCanceledError as error:
            raise Overloaded from error
    raise AssertionError("unreachable")
