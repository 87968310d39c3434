"""Connections to PostgreSQL: Tortoise for commands, asyncpg pools for queries and for the worker.

main, the worker and the CLI open them; what runs in a transaction belongs to app.command_store.
"""

import asyncio
import contextlib
from typing import Any, Final, TypeAlias

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.context import TortoiseContext, _current_context

from app.connection_loss import ReplaceableConnection
from app.dsn import connection_parts
from app.settings import Settings, settings

#: The role under which queries run: SELECT on read_* tables and checkpoints, nothing else.
READER_ROLE: Final = "inkfold_reader"
#: The role under which commands run: the normalized tables, and adding to the event log; nothing of the read side.
COMMAND_ROLE: Final = "inkfold_command"
#: The role under which a worker runs: it owns the read tables, and reads of the normalized ones what it folds.
WORKER_ROLE: Final = "inkfold_worker"
#: They belong to the cluster: where a dump is restored, they are to be made first.
ROLES: Final = (READER_ROLE, COMMAND_ROLE, WORKER_ROLE)

#: Everything is in schema public. By default PostgreSQL looks first into one that bears the name of the account or
#: role, which may be somebody else's: a worker may make schemas.
SEARCH_PATH: Final = {"search_path": "public"}

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def tortoise_config(
    dsn: str, *, pool_size: int = 2, statement_timeout_seconds: float = 0, role: str | None = None
) -> dict[str, Any]:
    """Return Tortoise's configuration for the normalized models, as `aerich` and the command side need it.

    Without a role, the account of the URL does what it does as itself: it owns what migrations make.
    """
    credentials = connection_parts(dsn) | {
        "minsize": 1,
        "maxsize": pool_size,
        "connection_class": ReplaceableConnection,
        "reset": _leave,  # commands take locks and settings for a transaction only
        "server_settings": _session("inkfold-commands", statement_timeout_seconds, role=role),
    }
    return {
        "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
        "apps": {"blog": {"models": ["app.models", "aerich.models"], "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


async def open_commands(config: Settings, *, role: str = COMMAND_ROLE) -> TortoiseContext:
    """Open the models' connections; close the returned context with `close_connections()`.

    The API's run under the command role, a worker's, which only announces posts, under its own.
    """
    models = TortoiseContext()
    connections = tortoise_config(
        config.database_url,
        pool_size=config.command_pool_size,
        statement_timeout_seconds=config.statement_timeout_seconds,
        role=role,
    )

    async def init() -> None:
        bind_models(models)
        await models.init(config=connections)

    await asyncio.create_task(init())
    return models


def bind_models(models: TortoiseContext) -> None:
    """Let the models in the running task use these connections. Only for a task made for that purpose."""
    _current_context.set(models)


async def expire_connections(models: TortoiseContext) -> None:
    """Have new connections opened: one of them broke, and the others are likely as dead."""
    client = models.db()
    if isinstance(client, TransactionWrapper):
        # A BEGIN that failed has left its transaction here, whose connection nobody would give back to the pool.
        with contextlib.suppress(asyncpg.InterfaceError, AttributeError):  # it may have been given back, or never taken
            client._connection.terminate()  # noqa: SLF001 - as below
        client = client._parent  # noqa: SLF001
    if isinstance(client, AsyncpgDBClient):
        await client._expire_connections()  # noqa: SLF001 - Tortoise has no public name for it


async def open_query_pool(config: Settings, *, init: Any = None) -> Pool:
    """Open the pool that queries use: read only, under the reader role. Calls `init` with each new connection."""
    return await asyncpg.create_pool(
        config.database_url,
        min_size=1,
        max_size=config.query_pool_size,
        init=init,
        connection_class=ReplaceableConnection,
        server_settings=_reading("inkfold-queries", config),
    )


async def open_replica_pool(config: Settings, url: str) -> Pool:
    """Open the like over a replica; whether anything answers there is seen when it is used."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=config.query_pool_size,
        connection_class=ReplaceableConnection,
        server_settings=_reading("inkfold-queries", config),
    )


async def open_watch_pool(config: Settings, url: str) -> Pool:
    """Open a single connection like those of queries, for looking how far a server has come; when it is used."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=1,
        connection_class=ReplaceableConnection,
        server_settings=_reading("inkfold-watch", config),
    )


async def open_worker_pool(config: Settings) -> Pool:
    """Open the worker's pool, for all but folding."""
    return await asyncpg.create_pool(
        config.database_url, min_size=1, max_size=4, server_settings=_session("inkfold-worker", 0, role=WORKER_ROLE)
    )


async def connect_folding(config: Settings) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect for folding; a worker that stops loses its transaction and its locks after 2 s.

    A step need not reach the disk before it counts: tables and checkpoint go back together if PostgreSQL crashes, and
    the events, which commands commit durably, are folded again.
    """
    return await asyncpg.connect(
        config.database_url,
        server_settings=_session("inkfold-folding", 0, role=WORKER_ROLE)
        | {
            "synchronous_commit": "off",
            "idle_session_timeout": "2s",
            "lock_timeout": "1s",
            "idle_in_transaction_session_timeout": "2s",
            "client_connection_check_interval": "1s",
            "work_mem": "32MB",
            "temp_buffers": "32MB",
        },
    )


async def connect_building(config: Settings) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect for a rebuild or a verification: statements may last, and end soon after their process has.

    One that stops answering between statements loses its locks after 10 s. What is built need not reach the disk before
    it counts: tables and checkpoint go back together if PostgreSQL crashes.
    """
    return await asyncpg.connect(
        config.database_url,
        server_settings=_session("inkfold-building", 0, role=WORKER_ROLE)
        | {
            "synchronous_commit": "off",
            "client_connection_check_interval": "1s",
            "lock_timeout": "30s",
            "idle_session_timeout": "0",
            "idle_in_transaction_session_timeout": "0",
            "work_mem": "64MB",
            "maintenance_work_mem": "256MB",
        },
    )


async def _leave(_: object) -> None:
    """Leave a session as it is: commands change nothing in it, and resetting it takes as long as a small command."""


def _reading(name: str, config: Settings) -> dict[str, str]:
    # A query is one of few statements, whose plan does not depend on what is asked: planning anew only costs.
    return _session(name, config.statement_timeout_seconds, role=READER_ROLE) | {
        "default_transaction_read_only": "on",
        "plan_cache_mode": "force_generic_plan",
    }


def _session(name: str, statement_timeout_seconds: float, *, role: str | None) -> dict[str, str]:
    # A role given here is what the session has after each RESET, too.
    return (
        SEARCH_PATH
        | ({} if role is None else {"role": role})
        | {
            "application_name": name,
            "TimeZone": "UTC",
            "jit": "off",
            "statement_timeout": str(int(statement_timeout_seconds * 1000)),
            "idle_in_transaction_session_timeout": "10s",
        }
    )


def __getattr__(name: str) -> Any:
    if name == "TORTOISE_ORM":  # asked for by the aerich command line, see pyproject.toml
        return tortoise_config(settings().database_url)
    raise AttributeError(name)
