"""Bringing a database to the schema of this release: aerich's migrations, then the projections' definitions.

`inkfold migrate` and `inkfold up` call it. However many run at once, each migration is applied once.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from aerich import Command
from aerich.migrate import Migrate

import migrations
from app.database_rights import give_to_worker, require_nothing_planted, require_rights
from app.db import SEARCH_PATH, tortoise_config
from projections.engine.checkpoint import Connection
from projections.engine.definitions import drop_definitions, install_definitions
from projections.registry import PROJECTIONS

_LOCATION = str(Path(migrations.__file__).parent)

#: aerich takes no lock and its table has no unique key, so one session's lock stands for all of a run.
_LOCK_KEY = 5_282_261_917_417_373_541

T = TypeVar("T")


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing, waiting for a run elsewhere to end; return the names of what was applied.

    Raises UnreachableError, and changes nothing, where the account or the server won't do.
    """
    async with _sole_run(dsn) as connection:
        await require_nothing_planted(connection)
        applied = []
        if pending := await pending_migrations(connection):
            await require_rights(connection, pending)
            await drop_definitions(connection)
            applied = await _apart(_upgrade(dsn))
        await give_to_worker(connection, [table.name for each in PROJECTIONS for table in each.tables])
        await install_definitions(connection, PROJECTIONS)  # for whoever owns the read tables
        return applied


async def downgrade(dsn: str) -> list[str]:
    """Take back every migration, newest first, with all data; return their names."""
    async with _sole_run(dsn) as connection:
        await drop_definitions(connection)
        return await _apart(_downgrade(dsn))


async def pending_migrations(connection: Connection) -> list[str]:
    """Return the names of migrations that this release has and the database has not."""
    applied: set[str] = set()
    if await connection.fetchval("SELECT to_regclass('aerich') IS NOT NULL"):
        applied = {row["version"] for row in await connection.fetch("SELECT version FROM aerich")}
    Migrate.migrate_location = Migrate.get_migration_dir(_LOCATION, "blog")
    return [_name(file) for file in Migrate.get_all_version_files() if file not in applied]


@asynccontextmanager
async def _sole_run(dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(dsn, server_settings=SEARCH_PATH)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        yield connection
    finally:
        await connection.close()


async def _upgrade(dsn: str) -> list[str]:
    async with Command(tortoise_config(dsn), app="blog", location=_LOCATION) as aerich:
        return [_name(file) for file in await aerich.upgrade()]


async def _downgrade(dsn: str) -> list[str]:
    undone = []
    async with Command(tortoise_config(dsn), app="blog", location=_LOCATION) as aerich:
        while await Migrate.get_last_version() is not None:
            undone += [_name(file) for file in await aerich.downgrade(version=-1, delete=False)]
    return undone


async def _apart(run: Coroutine[Any, Any, T]) -> T:
    """Run in a context of its own: aerich binds the models to its own connections."""
    return await asyncio.create_task(run, context=Context())


def _name(file: str) -> str:
    return file.removesuffix(".py")
