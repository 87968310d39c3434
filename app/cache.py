"""What Redis remembers for the API: each user's last consistency tokens, and the top posts ready to send.

Everything here can be lost at any moment: a miss costs a little time and never a wrong answer.
"""

import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from redis.asyncio import Redis

from app.redis_absence import RedisAbsence, RedisAwayError
from app.together import Together
from projections.engine.snapshot import Snapshot

#: How long a user's tokens are remembered; a projection that lags longer is an outage of its own.
TOKEN_SECONDS = 600
#: How many are remembered of each user; who has as many may have written more, and is checked for all.
MOST_TOKENS = 32

_TIMEOUT_SECONDS = 0.25
_AWAY_SECONDS = 1
#: Tokens told to Redis at once.
_MOST_AT_ONCE = 256
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
redis.call(
    'HSET', KEYS[1], 'xmax', ARGV[1], 'open', ARGV[2], 'snapshot', ARGV[3], 'changed_by', ARGV[4], 'body', ARGV[5]
)
return 1
"""

#: Note since when there is a memory, and add each user's token; what is old, or one too many, goes.
_KEEP_TOKENS = """
local now, seconds, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call(ARGV[4], KEYS[1], now)
for user = 2, #KEYS do
    local key = KEYS[user]
    redis.call('ZADD', key, now, ARGV[user + 3])
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - seconds)
    redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
    redis.call('EXPIRE', key, seconds)
end
"""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Remembered tokens. When they aren't trusted, the user may have written something that Redis does not know of."""

    tokens: tuple[int, ...]
    trusted: bool


@dataclass(frozen=True, slots=True)
class CachedTop:
    """The top posts as JSON, the snapshot that they reflect, and which transactions had changed their tables last."""

    snapshot: Snapshot
    changed_by: str
    body: bytes


class Cache:
    """One per process. `cluster` is PostgreSQL's system identifier: snapshots of another cluster mean nothing here."""

    def __init__(self, redis: Redis, *, cluster: int) -> None:
        self._redis = redis
        self._cluster = cluster
        self._lapses = self._lapses_noted = 0
        self._absence = RedisAbsence(
            meanwhile="Reads check more for a while, and the top posts are read from PostgreSQL.",
            answer_seconds=_TIMEOUT_SECONDS,
            rest_seconds=_AWAY_SECONDS,
        )
        self._keep_newest = redis.register_script(_KEEP_NEWEST)
        self._keep_tokens = redis.register_script(_KEEP_TOKENS)
        self._together = Together(self._remember, most=_MOST_AT_ONCE, at_once=1)

    def lapse(self) -> None:
        """Trust no memory from before now: Redis went away, and may come back without what it was told last."""
        self._lapses += 1

    async def remember_token(self, user_id: UUID, token: str) -> None:
        """Keep a user's token for a while; done best-effort, before the command is answered.

        Several are kept: of two transactions that ran side by side, seeing one does not imply seeing the other.
        """
        await self._together.load((self._tokens_key(user_id), token))

    async def _remember(self, tokens: Sequence[tuple[str, str]]) -> Sequence[None]:
        """Keep the tokens of commands that end at the same time, in one round trip."""
        keys, values = zip(*tokens, strict=True)
        lapses = self._lapses
        begin = "SETNX" if lapses == self._lapses_noted else "SET"
        try:
            async with self._absence.asking():
                await self._keep_tokens(
                    keys=[_SINCE_KEY, *keys], args=[int(time.time()), TOKEN_SECONDS, MOST_TOKENS, begin, *values]
                )
            self._lapses_noted = lapses
        except RedisAwayError:
            self.lapse()
        return [None] * len(tokens)

    async def recall_tokens(self, user_id: UUID) -> Recalled:
        """Return the user's last tokens; untrusted while Redis is down, and for a while after it lost its memory."""
        now, lapses = int(time.time()), self._lapses
        try:
            async with self._absence.asking(), self._redis.pipeline(transaction=False) as pipe:
                if lapses != self._lapses_noted:
                    pipe.set(_SINCE_KEY, now)
                pipe.zrange(self._tokens_key(user_id), 0, -1)
                pipe.get(_SINCE_KEY)
                *_, tokens, since = await pipe.execute()
            self._lapses_noted = lapses
        except RedisAwayError:
            self.lapse()
            return Recalled((), trusted=False)
        whole = since is not None and now - int(since) > TOKEN_SECONDS and len(tokens) < MOST_TOKENS
        return Recalled(tuple(map(int, tokens)), trusted=whole)

    async def read_top(self) -> CachedTop | None:
        """Return the top posts, or None when Redis has none or is down."""
        try:
            async with self._absence.asking():
                fields = self._redis.hmget(self._top_key, ["snapshot", "changed_by", "body"])
                snapshot, changed_by, body = await cast("Awaitable[list[bytes | None]]", fields)
        except RedisAwayError:
            return None
        if snapshot is None or changed_by is None or body is None:
            return None
        return CachedTop(Snapshot.parse(snapshot.decode()), changed_by.decode(), body)

    async def forget_top(self) -> None:
        """Drop the top posts: after a crash of PostgreSQL, its transaction ids may begin again below theirs."""
        with suppress(RedisAwayError):
            async with self._absence.asking(insist=True):
                await self._redis.delete(self._top_key)

    async def write_top(self, top: CachedTop) -> None:
        """Put the top posts in place unless newer ones are there; best-effort."""
        xmax, running = top.snapshot.age
        with suppress(RedisAwayError):
            async with self._absence.asking():
                await self._keep_newest(
                    keys=[self._top_key], args=[xmax, -running, str(top.snapshot), top.changed_by, top.body]
                )

    @property
    def _top_key(self) -> str:
        return f"inkfold:{self._cluster}:top_posts:v1"

    def _tokens_key(self, user_id: UUID) -> str:
        return f"inkfold:{self._cluster}:tokens:{user_id}"
