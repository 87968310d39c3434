"""A real streaming replica, an API that reads from it, and the proof of who answered: the servers' own logs."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import psutil
from fastapi import FastAPI

from app.connection_loss import CONNECTION_LOST
from app.embedded.cluster import run_client
from app.embedded.folder import make_folder
from app.embedded.postgres import EmbeddedPostgres
from app.main import create_app
from app.settings import Settings

PATIENCE_SECONDS = 60
_ENTRY = re.compile(r"^(?=[\w-]*\|[A-Z]+:)", re.MULTILINE)

_WITHDRAWN: tuple[type[Exception], ...] = (asyncpg.SerializationError, *CONNECTION_LOST)

#: Every statement in the log, after the name of the program that sent it.
LOGGED = {"log_statement": "all", "log_line_prefix": "%a|"}
#: Replay waits for nobody, and rows that a query may still need are left alone, so that only what a test does ends one.
_SETTINGS = {
    "fsync": "off",
    "hot_standby_feedback": "on",
    "max_standby_streaming_delay": "0",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "50ms",
    **LOGGED,
}


def copy_of(primary: EmbeddedPostgres, folder: Path) -> EmbeddedPostgres:
    """Return a replica that begins with a copy of the primary's data, to be started."""
    make_folder(folder)
    options = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync")
    run_client("pg_basebackup", f"--pgdata={folder / 'data'}", *options, sockets=primary.folder.sockets)
    return EmbeddedPostgres(folder, settings=_SETTINGS)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.005)


async def tell(server: EmbeddedPostgres, sql: str, *values: object) -> object:
    """Run a statement there and return its value; again where the replay of a replica was stronger."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                connection = await asyncpg.connect(server.dsn())
                try:
                    return await connection.fetchval(sql, *values)
                finally:
                    connection.terminate()
            except _WITHDRAWN:
                continue


async def pause(replica: EmbeddedPostgres) -> None:
    """Let the replica's replay stand still."""
    await tell(replica, "SELECT pg_wal_replay_pause()")

    async def paused() -> bool:
        return await tell(replica, "SELECT pg_get_wal_replay_pause_state()") == "paused"

    await until(paused)


async def resume(replica: EmbeddedPostgres) -> None:
    """Let it go on."""
    await tell(replica, "SELECT pg_wal_replay_resume()")


async def caught_up(primary: EmbeddedPostgres, replica: EmbeddedPostgres) -> None:
    """Wait until the replica has what is committed on the primary now."""
    await tell(primary, "SELECT pg_current_xact_id()")  # its commit takes everything before it to the disk
    position = await tell(primary, "SELECT pg_current_wal_flush_lsn()")

    async def there() -> bool:
        return await tell(replica, "SELECT pg_last_wal_replay_lsn() >= $1", position) is True

    await until(there)


class Statements:
    """What queries of the API were sent to a server, by its log."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._log = server.folder.log
        self._from = self._log.stat().st_size

    def of(self, table: str) -> int:
        """Return how many statements read this table since this was made."""
        with self._log.open("rb") as log:
            log.seek(self._from)
            entries = _ENTRY.split(log.read().decode())
        return sum(entry.startswith("inkfold-queries|LOG:") and f"FROM {table}" in entry for entry in entries)


@asynccontextmanager
async def api_reading_from(config: Settings, *urls: str, **settings: object) -> AsyncIterator[FastAPI]:
    """Run an API that sends queries to these replicas."""
    app = create_app(config.model_copy(update={"read_database_url": urls, **settings}))
    async with app.router.lifespan_context(app):
        yield app


def reasons(app: FastAPI) -> list[str | None]:
    """Return why each replica does not answer; None for one that does."""
    return [standing.reason for standing in app.state.replicas.standings()]


@contextmanager
def stopped(server: EmbeddedPostgres) -> Iterator[None]:
    """Let every process of a server hang."""
    postmaster = psutil.Process(server.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
