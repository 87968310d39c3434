"""Several migrators at once: each migration is applied once."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import asyncpg

import migrations
from app.settings import Settings
from projections.engine.checkpoint import Connection
from tests.conftest import Servers
from tests.support.scratch_database import scratch_database

FILES = sorted(path.stem for path in (Path(migrations.__file__).parent / "blog").glob("[0-9]*.py"))


async def test_fault_22_three_migrators_at_once_apply_each_migration_once(
    servers: Servers, sql: Connection, config: Settings
) -> None:
    async with scratch_database(servers, sql) as empty:
        environment = os.environ | {
            "DATABASE_URL": empty,
            "REDIS_URL": config.redis_url,
            "SECRET_KEY": config.secret_key.get_secret_value(),
        }
        command = (sys.executable, "-m", "app.cli", "migrate")
        runs = [
            await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE) for _ in range(3)
        ]
        said = [tuple(stream.decode() for stream in await run.communicate()) for run in runs]
        assert [run.returncode for run in runs] == [0, 0, 0], said
        assert sorted(" ".join(out for out, _ in said).split()) == sorted(["Applied"] * len(FILES) + FILES)
        assert await applied(empty) == [f"{file}.py" for file in FILES]


async def applied(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["version"] for row in await connection.fetch("SELECT version FROM aerich ORDER BY id")]
    finally:
        await connection.close()
