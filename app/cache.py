"""What Redis remembers for the API: each user's last consistency token, and the top posts ready to send.

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

#: How long a user's last token is remembered; a projection that lags longer is an outage of its own.
TOKEN_SECONDS = 600

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
    """A remembered token. When it isn't trusted, the user may have written something that Redis has forgotten."""

    token: int | None
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
        self._keep_newest = redis.register_script(_KEEP_NEWEST)

    async def remember_token(self, user_id: UUID, token: str) -> None:
        """Keep a user's last token for a while; done best-effort, before the command is answered."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
                pipe.set(_SINCE_KEY, int(time.time()), nx=True)
                pipe.set(self._token_key(user_id), token, ex=TOKEN_SECONDS)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis did not take a consistency token (%s); reads of this user will check more.", error)

    async def recall_token(self, user_id: UUID) -> Recalled:
        """Return the user's last token; untrusted while Redis is down, and for a while after it lost its memory."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                token, since = await self._redis.mget(self._token_key(user_id), _SINCE_KEY)
        except (RedisError, OSError, TimeoutError):
            return Recalled(None, trusted=False)
        if token is not None:
            return Recalled(int(token), trusted=True)
        return Recalled(None, trusted=since is not None and time.time() - int(since) > TOKEN_SECONDS)

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

    def _token_key(self, user_id: UUID) -> str:
        return f"inkfold:{self._cluster}:token:{user_id}"
