"""What goes wrong from one moment to the next. When a fault returns, everything is up again, or on its way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from redis import Redis

from tests.soak.stack import Stack

_CUT = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
  AND backend_type = 'client backend'
  AND application_name LIKE $1
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. While it does, only those that it fails may be answered 503."""

    inject: Callable[[Stack], None]
    fails_commands: bool = False
    fails_queries: bool = False


def _nothing(_: Stack) -> None:
    """Everything goes well."""


def _replace_worker(stack: Stack) -> None:
    stack.workers.kill()
    stack.workers.start()


def _flush_redis(stack: Stack) -> None:
    with Redis.from_url(stack.redis.url) as redis:
        redis.flushall()


def _restart_redis(stack: Stack) -> None:
    stack.redis.restart()


def _kill_redis(stack: Stack) -> None:
    stack.redis.hasten()
    stack.redis.restart()


def _restart_postgres(stack: Stack) -> None:
    stack.postgres.restart()


def _crash_postgres(stack: Stack) -> None:
    stack.postgres.restart(immediate=True)


def _cut(connections: str) -> Callable[[Stack], None]:
    def cut(stack: Stack) -> None:
        stack.sql(_CUT, connections)

    return cut


NOTHING: Final = "nothing"

FAULTS: Final[Mapping[str, Fault]] = {
    NOTHING: Fault(_nothing),
    "worker killed and replaced": Fault(_replace_worker, fails_queries=True),
    "Redis flushed": Fault(_flush_redis),
    "Redis restarted": Fault(_restart_redis),
    "Redis killed and started": Fault(_kill_redis),
    "PostgreSQL restarted": Fault(_restart_postgres, fails_commands=True, fails_queries=True),
    "PostgreSQL crashed": Fault(_crash_postgres, fails_commands=True, fails_queries=True),
    "all connections cut": Fault(_cut("%"), fails_commands=True, fails_queries=True),
    "commands' connections cut": Fault(_cut("inkfold-commands"), fails_commands=True),
    "queries' connections cut": Fault(_cut("inkfold-queries"), fails_queries=True),
    "folding connections cut": Fault(_cut("inkfold-folding")),
}
