"""How a command runs: connected, and with a sentence and an exit code for whatever prevents or interrupts it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

import asyncpg
import orjson
import typer

from app.cache import Cache
from app.connection_loss import CONNECTION_LOST
from app.db import SEARCH_PATH, WORKER_ROLE, connect_building
from app.reachability import UnreachableError, connect
from app.redis_client import open_redis
from app.settings import settings
from projections.engine.checkpoint import Connect, Connection, system_identifier
from projections.engine.connections import opened
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.parked import NotReplayableError
from projections.engine.poison import TooManyParkedError
from projections.engine.rebuild import RebuildFailedError, RebuildRunningError
from projections.engine.repair import UnrepairableError
from projections.engine.shadow import NotSwappableError

T = TypeVar("T")

INTERRUPTED: Final = 130
_REDIS_SECONDS: Final = 1.0
_TAKE_ON: Final = "SELECT set_config('role', rolname, false) FROM pg_roles WHERE rolname = $1"

#: What says by itself what happened and what to do.
_SPEAKING: Final[tuple[type[Exception], ...]] = (
    UnreachableError,
    RebuildRunningError,
    RebuildFailedError,
    NotSwappableError,
    UnverifiableError,
    NotReplayableError,
    UnrepairableError,
    TooManyParkedError,
)
_FAILURES: Final[tuple[type[Exception], ...]] = (*_SPEAKING, asyncpg.PostgresError, *CONNECTION_LOST)

#: What to say of PostgreSQL's errors; the first that fits.
_SENTENCES: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (
        (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError),
        "This database is not up to date. Run `inkfold migrate` first.",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        "The account of DATABASE_URL may not do this: {said}. Take the one that migrates.",
    ),
    (
        asyncpg.TooManyConnectionsError,
        "PostgreSQL has no connection left: {said}. Run this again later, or raise its max_connections.",
    ),
    (asyncpg.DiskFullError, "PostgreSQL's disk is full: {said}. Make room, then run this again."),
    (
        asyncpg.LockNotAvailableError,
        "Another session has held what this needs for too long. `inkfold projections status` may show which.",
    ),
    (
        asyncpg.TransactionRollbackError,
        "Something else changed the same rows meanwhile: {said}. Run this again.",
    ),
    (CONNECTION_LOST, "PostgreSQL went away: {said}. Run this again when it is back."),
    (asyncpg.PostgresError, "PostgreSQL refused: {said}. Run this again when that is mended."),
)


def run(work: Coroutine[Any, Any, T], *, failed: int = 1, afterwards: str = "") -> T:
    """Run a command's work; leave with a sentence and the exit code `failed` where it fails.

    `afterwards` is what to say of the state that Ctrl-C or a failure of PostgreSQL leaves behind.
    """
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        leave(f"Stopped. {afterwards}".strip(), INTERRUPTED)
    except _FAILURES as error:
        if isinstance(error, BrokenPipeError):
            raise  # nobody reads what is printed
        begun = "" if isinstance(error, _SPEAKING) else afterwards
        leave(f"{_sentence(error)} {begun}".strip(), failed)


def leave(sentence: str, code: int = 1) -> NoReturn:
    """Say on standard error what happened, and end the command."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print a value on standard output."""
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z).decode())


@asynccontextmanager
async def connected(*, role: str | None = WORKER_ROLE) -> AsyncIterator[Connection]:
    """Yield a connection for single statements; raises UnreachableError.

    What a worker may do is enough for all that is done to projections, so its account will do, too. Before the
    migration that makes the role, there is none to take on.
    """
    connection = await connect(
        settings().database_url,
        server_settings=SEARCH_PATH | {"application_name": "inkfold-projections", "TimeZone": "UTC", "jit": "off"},
    )

    async def ready() -> "asyncpg.Connection[asyncpg.Record]":
        return connection

    async with opened(ready):
        await connection.execute(_TAKE_ON, role)
        yield connection


async def building() -> Connect:
    """Return what opens the engine's connections; raises UnreachableError."""
    await (await connect(settings().database_url)).close()
    return partial(connect_building, settings())


async def renew_top_posts() -> None:
    """Have Redis forget the top posts, which the rows before a change were read for; a worker puts them back."""
    redis = open_redis(settings().redis_url, answer_seconds=_REDIS_SECONDS)
    try:
        async with connected() as connection:
            await Cache(redis, cluster=await system_identifier(connection)).forget_top()
    finally:
        await redis.aclose()


def _sentence(error: Exception) -> str:
    if isinstance(error, _SPEAKING):
        return str(error)
    said = (str(error) or type(error).__name__).rstrip(".")
    if isinstance(error, asyncpg.InterfaceError) and "closed" in said:
        said = "the connection is closed"  # and not how that was noticed
    if isinstance(error, asyncpg.UndefinedTableError) and "rebuilding_" in said:
        return "Another session has taken this rebuild over."
    sentence = next(sentence for kind, sentence in _SENTENCES if isinstance(error, kind))
    return sentence.format(said=said)
