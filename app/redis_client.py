"""The connection to Redis, made so that nothing waits for a Redis that is down."""

from arq.connections import ArqRedis

from app.doorbell import QUEUE, deserialize, serialize

_CONNECT_SECONDS = 1


def open_redis(url: str, *, answer_seconds: float | None = None) -> ArqRedis:
    """Return a client of `url`; it connects when first used. Close it with `aclose()`.

    With `answer_seconds`, a Redis that hangs counts as gone after that time; without, who listens may wait for ever.
    """
    client: ArqRedis = ArqRedis.from_url(url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=answer_seconds)
    client.job_serializer = serialize
    client.job_deserializer = deserialize
    client.default_queue_name = QUEUE
    return client
