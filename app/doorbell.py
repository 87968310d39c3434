"""The doorbell: tells the arq worker that there is something to fold or to announce.

It carries no work: that stands in PostgreSQL, and the worker's sweep finds it if no bell rang. Rung after commit by
the command store; a Redis that is down makes no command fail.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from arq.constants import job_key_prefix, result_key_prefix
from arq.jobs import serialize_job
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

QUEUE: Final = "inkfold:jobs"
FOLD: Final = "fold_events"
ANNOUNCE: Final = "announce_posts"

#: Redis channel on which workers hear that a job was enqueued.
BELL: Final = "inkfold:bell"

#: When jobs are due: before anyone's now, so that none waits for a clock that is behind.
_DUE: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1000)
_EXPIRES: Final = int(timedelta(days=1).total_seconds() * 1000)
_ENQUEUE_SECONDS = 1.0
_REST_SECONDS = 0.5

# What arq's enqueue_job does in five messages, and the generation, and the bell, in one. Who finds the id taken rings
# no bell: whoever took it has.
_RING: Final = f"""
local id = ARGV[1] .. ':' .. (redis.call('GET', KEYS[1]) or '0')
if redis.call('EXISTS', '{job_key_prefix}' .. id, '{result_key_prefix}' .. id) > 0 then
    return 0
end
redis.call('PSETEX', '{job_key_prefix}' .. id, ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[4], id)
redis.call('PUBLISH', '{BELL}', ARGV[1])
return 1
"""


def generation_key(job: str) -> str:
    """Return the Redis key that counts how many times `job` has begun."""
    return f"inkfold:generation:{job}"


def serialize(job: Mapping[str, Any]) -> bytes:
    """Write an arq job as JSON: whoever can write to Redis must not be able to run code here.

    An exception, which is the result of a job that failed, becomes its words.
    """
    return orjson.dumps(job, default=repr)


def deserialize(data: bytes) -> dict[str, Any]:
    """Read an arq job from JSON; arq's own positional arguments come back as lists."""
    job: dict[str, Any] = orjson.loads(data)
    return job


class Doorbell:
    """Rings coalesce: while one is on its way, others join it. Run `ringing` as a task for as long as it is used."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wanted: set[str] = set()
        self._awake = asyncio.Event()

    def ring(self, job: str) -> None:
        """Have `job` run soon; returns at once."""
        self._wanted.add(job)
        self._awake.set()

    async def ringing(self) -> None:
        """Enqueue what was rung for, until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            wanted, self._wanted = self._wanted, set()
            try:
                async with asyncio.timeout(_ENQUEUE_SECONDS):
                    for job in sorted(wanted, reverse=True):
                        await enqueue(self._redis, job)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("Redis did not take the wake-up (%s); the worker's sweep will do it.", error)
                await asyncio.sleep(_REST_SECONDS)


async def enqueue(redis: Redis, job: str) -> None:
    """Enqueue `job` unless it waits already, and wake a worker for it.

    The job id carries a generation that the job increments before it looks at the database: an id that is taken
    belongs to a job that has not looked yet, and will see what the caller has committed.
    """
    body = serialize_job(job, (), {}, None, int(time.time() * 1000), serializer=serialize)
    await redis.register_script(_RING)(keys=[generation_key(job), QUEUE], args=[job, body, _EXPIRES, _DUE])
