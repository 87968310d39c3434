"""The migrations: there and back again, once however many run them, and in step with the models."""

import asyncio
import inspect
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextvars import Context
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from aerich import Command
from aerich.coder import decoder, encoder
from aerich.utils import decompress_dict, get_models_describe
from tortoise import Tortoise

import app.models
import migrations
from app.db import tortoise_config
from app.migrate import downgrade, migrate
from migrations.blog import models_state
from projections.engine.checkpoint import Connection
from tests.conftest import Servers
from tests.support.catalog import schema_at
from tests.support.scratch_database import scratch_database

BLOG = Path(migrations.__file__).parent / "blog"
FILES = sorted(path.stem for path in BLOG.glob("[0-9]*.py"))
NO_MODELS = "^(read_|(event|parked_event|checkpoint|verification|idempotency_key|aerich)$)"

_numbers = count(1)
T = TypeVar("T")

#: Of each table: columns with type, nullability and default; keys and foreign keys, whatever their names.
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname !~ $1
"""
_KEYS = """
SELECT conrelid::regclass::text, contype, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ $1 AND contype IN ('p', 'u', 'f')
"""


@pytest.fixture
async def empty(servers: Servers, sql: Connection) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    async with scratch_database(servers, sql) as dsn:
        yield dsn


@pytest.fixture
async def another(servers: Servers, sql: Connection) -> AsyncIterator[str]:
    """The URL of a second one."""
    async with scratch_database(servers, sql) as dsn:
        yield dsn


async def _alone(work: Coroutine[Any, Any, T]) -> T:
    """Run Tortoise apart from the connections of other tests."""
    return await asyncio.create_task(work, context=Context())


async def test_up_down_and_up_again_give_the_same_schema(empty: str) -> None:
    assert await migrate(empty) == FILES
    up = await schema_at(empty)
    assert await downgrade(empty) == FILES[::-1]
    down = await schema_at(empty)
    assert await migrate(empty) == FILES
    assert await schema_at(empty) == up
    assert {row[0] for row in down["relations"]} == {"aerich", "aerich_id_seq", "aerich_pkey", "aerich_once"}
    assert not any(down[part] for part in ("views", "functions", "triggers", "types"))


async def test_migrating_what_is_up_to_date_changes_nothing(empty: str) -> None:
    await migrate(empty)
    before = await schema_at(empty)
    assert await migrate(empty) == []
    assert await schema_at(empty) == before


async def test_the_models_need_no_further_migration(empty: str, tmp_path: Path) -> None:
    await migrate(empty)
    assert await _alone(_wanted_migration(empty, "app.models", tmp_path)) == ""


@pytest.mark.parametrize(
    "change",
    [
        ("title = fields.CharField(max_length=200)", "title = fields.CharField(max_length=201)"),
        ("content = fields.TextField()", "content = fields.TextField(null=True)"),
        (
            "class Like(Model):",
            "class Mood(Model):\n    id = fields.IntField(primary_key=True)\n\n\nclass Like(Model):",
        ),
        ('unique_together = (("target_user", "subscriber"),)', ""),
    ],
    ids=["type", "nullability", "table", "unique key"],
)
async def test_a_model_that_has_moved_on_is_noticed(
    empty: str, another: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    module = f"planted_models_{next(_numbers)}"
    source = inspect.getsource(app.models)
    assert source.count(change[0]) == 1
    (tmp_path / f"{module}.py").write_text(source.replace(*change), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    await migrate(empty)
    assert await _alone(_wanted_migration(empty, module, tmp_path))
    await _alone(_generate_schema(another, module))
    assert await _told_by_models(another) != await _told_by_models(empty)


async def test_the_tables_are_what_the_models_say(empty: str, another: str) -> None:
    await migrate(empty)
    await _alone(_generate_schema(another, "app.models"))
    assert await _told_by_models(empty) == await _told_by_models(another)


async def test_the_recorded_state_is_that_of_the_models(empty: str) -> None:
    async def describe() -> dict[str, Any]:
        async with Command(_config(empty, "app.models"), app="blog", location=str(BLOG.parent)):
            return get_models_describe("blog")

    assert decompress_dict(models_state.WITH_ACCOUNTS) == decoder(encoder(await _alone(describe())))


def _config(dsn: str, module: str) -> dict[str, Any]:
    config = tortoise_config(dsn)
    config["apps"]["blog"]["models"] = [module, "aerich.models"]
    return config


async def _wanted_migration(dsn: str, module: str, folder: Path) -> str | None:
    """Return the name of the migration that aerich would have written, into a copy of ours."""
    shutil.copytree(BLOG, folder / "migrations" / "blog", ignore=shutil.ignore_patterns("__pycache__"))
    async with Command(_config(dsn, module), app="blog", location=str(folder / "migrations")) as aerich:
        wanted: str | None = await aerich.migrate(no_input=True)
        return wanted


async def _generate_schema(dsn: str, module: str) -> None:
    async with Command(_config(dsn, module), app="blog", location=str(BLOG.parent)):
        await Tortoise.generate_schemas()


async def _told_by_models(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    connection = await asyncpg.connect(dsn)
    try:
        return {
            name: sorted((tuple(row) for row in await connection.fetch(query, NO_MODELS)), key=str)
            for name, query in (("columns", _COLUMNS), ("keys", _KEYS))
        }
    finally:
        await connection.close()
