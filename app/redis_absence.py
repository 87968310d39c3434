"""Notices that Redis is away or hangs, so that of all who would ask it only one waits to find out whether it is back.

app.cache and app.rate_limits ask through it; both can do without an answer.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswerError

log = logging.getLogger(__name__)

_GONE: Final = (NotConnectedError, NoAnswerError, OSError, TimeoutError)
#: A Redis that refuses, having no memory left for example, refuses everybody.
_SAY_AGAIN_SECONDS: Final = 60


class RedisAwayError(Exception):
    """Redis did not do it just now, or did not answer a moment ago."""


class RedisAbsence:
    """Whoever gets no answer within `answer_seconds` spares the others the question for `rest_seconds`."""

    def __init__(self, *, meanwhile: str, answer_seconds: float, rest_seconds: float) -> None:
        self._meanwhile = meanwhile
        self._answer_seconds = answer_seconds
        self._rest_seconds = rest_seconds
        self._away = False
        self._ask_again_at = self._say_again_at = 0.0

    @property
    def lasts(self) -> bool:
        """Whether Redis is not asked now."""
        return self._ask_again_at > time.monotonic()

    @asynccontextmanager
    async def asking(self, *, insist: bool = False) -> AsyncIterator[None]:
        """Ask Redis in this block; raises RedisAwayError, at once where somebody else has just found out.

        Whoever insists is not spared: what must be tried, once.
        """
        if self.lasts and not insist:
            raise RedisAwayError
        if self._away:  # the others need not wait for what this one finds out
            self._rest()
        try:
            async with asyncio.timeout(self._answer_seconds):
                yield
        except _GONE as error:
            self._begin(error)
            raise RedisAwayError from error
        except RedisError as error:
            self._end()
            self._complain(error)
            raise RedisAwayError from error
        self._end()

    def _begin(self, error: Exception) -> None:
        if not self._away:
            log.warning("Redis does not answer (%r). %s", error, self._meanwhile)
        self._away = True
        self._rest()

    def _rest(self) -> None:
        self._ask_again_at = time.monotonic() + self._rest_seconds

    def _end(self) -> None:
        if self._away:
            log.warning("Redis answers again.")
            self._away = False
            self._ask_again_at = 0.0

    def _complain(self, error: Exception) -> None:
        if self._say_again_at <= (now := time.monotonic()):
            self._say_again_at = now + _SAY_AGAIN_SECONDS
            log.warning("Redis refuses (%s). %s", error, self._meanwhile)
