"""One run of the demo: a transaction that adds the whole batch to the normalized and the read tables, or nothing.

The command calls it. It can run at any time, beside the API and workers, and any number of times.
"""

from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Final

import asyncpg

from app.db import SEARCH_PATH
from app.demo.batch import Ids, Size
from app.demo.calendar import Calendar
from app.demo.filling import Filling
from app.demo.progress import Report
from app.demo.prose import password as make_password
from app.demo.read_rows import add_read_rows
from app.migrate import pending_migrations
from app.security.passwords import PasswordHasher
from projections.engine.addition import hold_rebuilds

#: Two runs at once would give users the same numbers.
_LOCK_KEY: Final = 5_282_261_917_417_373_542

_CLOSE_SECONDS: Final = 10
_SESSION: Final = SEARCH_PATH | {
    "application_name": "inkfold-demo",
    "TimeZone": "UTC",
    "jit": "off",
    "work_mem": "64MB",
}


class NotMigratedError(Exception):
    """The database lacks migrations of this release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What a run has added, and how to sign in."""

    usernames: list[str]
    password: str


async def run(dsn: str, size: Size, *, seed: int | None, report: Report) -> Added:
    """Add a made-up blog of that size. Raises NotMigratedError, or what PostgreSQL raises; then nothing is added."""
    password = make_password(SystemRandom())
    hasher = PasswordHasher(threads=1, queue=1)
    try:
        async with hasher.turn() as turn:
            hashed = await turn.hash(password)
    finally:
        hasher.close()
    connection = await asyncpg.connect(dsn, server_settings=_SESSION)
    try:
        if await pending_migrations(connection):
            raise NotMigratedError("The database is not up to date. Run `inkfold migrate` first.")
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
            await hold_rebuilds(connection)
            now = await connection.fetchval("SELECT now()")
            filling = Filling(
                size=size,
                ids=Ids(),
                calendar=Calendar(now=now, users=size.users),
                random=Random(seed),
                hashed_password=hashed,
            )
            usernames = await filling.fill(connection, report)
            await add_read_rows(connection, size, filling.ids, report)
    finally:
        await connection.close(timeout=_CLOSE_SECONDS)
    return Added(usernames=usernames, password=password)
