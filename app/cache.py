"""What Redis remembers for the API: each user's last consistency tokens, and the top posts ready to send.

Everything here can be lost at any moment: a miss costs a little time and never a wrong answer.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from projections.engine.snapshot import Snapshot

log = logging.getLogger(__name__)

#: How long a user's tokens are remembered; a projection that lags longer is an outage of its own.
TOKEN_SECONDS = 600
#: How many are remembered of each user; who has as many may have written more, and is checked for all.
MOST_TOKENS = 32

_TIMEOUT_SECONDS = 0.25
_SINCE_KEY = "inkfold:tokens:since"

#: Keep the newer of two bodies. Ages are compared as numbers: transactions seen, then how few were open.
_KEEP_NEWEST = """
local held = redis.call('HMGET', KEYS[1], 'xmax', 'open')
if held[1] then
    local xmax, open = tonumber(held[1]), tonumber(held[2])
    if xmax > tonumber(ARGV[1]) or (xmax == tonumber(ARGV[1]) and open < tonumber(ARGV[2])) then
        return 0
    end
end
redis.call('HSET', KEYS[1], 'xmax', ARGV[1], 'open', ARGV[2], 'snapshot', ARGV[3], 'body', ARGV[4])
return 1
"""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Remembered tokens. When they aren't trusted, the user may have written something that Redis does not know of."""

    tokens: tuple[int, ...]
    trusted: bool


@dataclass(frozen=True, slots=True)
class CachedTop:
    """The top posts as JSON, and the snapshot that they reflect."""

    snapshot: Snapshot
    body: bytes


class Cache:
    """One per process. `cluster` is PostgreSQL's system identifier: snapshots of another cluster mean nothing here."""

    def __init__(self, redis: Redis, *, cluster: int) -> None:
        self._redis = redis
        self._cluster = cluster
        self._lapsed = False
        self._keep_newest = redis.register_script(_KEEP_NEWEST)

    def lapse(self) -> None:
        """Trust no memory from before now: Redis went away, and may come back without what it was told last."""
        self._lapsed = True

    async def remember_token(self, user_id: UUID, token: str) -> None:
        """Keep a user's token for a while; done best-effort, before the command is answered.

        Several are kept: of two transactions that ran side by side, seeing one does not imply seeing the other.
        """
        key, now = self._tokens_key(user_id), int(time.time())
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
                pipe.set(_SINCE_KEY, now, nx=not self._lapsed)
                pipe.zadd(key, {token: now})
                pipe.zremrangebyscore(key, "-inf", now - TOKEN_SECONDS)
                pipe.zremrangebyrank(key, 0, -MOST_TOKENS - 1)
                pipe.expire(key, TOKEN_SECONDS)
                await pipe.execute()
            self._lapsed = False
        except (RedisError, OSError, TimeoutError) as error:
            self._lapsed = True
            log.warning("Redis did not take a consistency token (%s); reads will check more for a while.", error)

    async def recall_tokens(self, user_id: UUID) -> Recalled:
        """Return the user's last tokens; untrusted while Redis is down, and for a while after it lost its memory."""
        now = int(time.time())
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
                if self._lapsed:
                    pipe.set(_SINCE_KEY, now)
                pipe.zrange(self._tokens_key(user_id), 0, -1)
                pipe.get(_SINCE_KEY)
                *_, tokens, since = await pipe.execute()
            self._lapsed = False
        except (RedisError, OSError, TimeoutError):
            self._lapsed = True
            return Recalled((), trusted=False)
        whole = since is not None and now - int(since) > TOKEN_SECONDS and len(tokens) < MOST_TOKENS
        return Recalled(tuple(map(int, tokens)), trusted=whole)

    async def read_top(self) -> CachedTop | None:
        """Return the top posts, or None when Redis has none or is down."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                snapshot, body = await cast(
                    "Awaitable[list[bytes | None]]", self._redis.hmget(self._top_key, ["snapshot", "body"])
                )
        except (RedisError, OSError, TimeoutError):
            return None
        if snapshot is None or body is None:
            return None
        return CachedTop(Snapshot.parse(snapshot.decode()), body)

    async def forget_top(self) -> None:
        """Drop the top posts: after a crash of PostgreSQL, its transaction ids may begin again below theirs."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._redis.delete(self._top_key)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis did not drop the top posts: %s", error)

    async def write_top(self, top: CachedTop) -> None:
        """Put the top posts in place unless newer ones are there; best-effort."""
        xmax, running = top.snapshot.age
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._keep_newest(keys=[self._top_key], args=[xmax, -running, str(top.snapshot), top.body])
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis did not take the top posts (%s); they are read from PostgreSQL meanwhile.", error)

    @property
    def _top_key(self) -> str:
        return f"inkfold:{self._cluster}:top_posts:v1"

    def _tokens_key(self, user_id: UUID) -> str:
        return f"inkfold:{self._cluster}:tokens:{user_id}"
