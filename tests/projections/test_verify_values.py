"""What counts as a difference: NULLs, texts, numbers and documents of every kind, types that differ, doubled keys."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from projections.engine import comparison
from projections.engine.checkpoint import Connect, Connection
from projections.engine.projection import Projection
from projections.engine.repair import UnrepairableError, repair
from projections.engine.verify import verify
from tests.support.foreign_projection import built
from tests.support.projection_spec import differences

TABLES = """
CREATE TABLE sample (
    "group" text, "Order no" int, words text, amount numeric, document jsonb, parts text[], exact float8,
    at timestamptz, number int, day date
);
CREATE TABLE read_sample (
    "group" text, "Order no" bigint, words varchar(90), amount numeric, document jsonb, parts text[], exact float8,
    at timestamptz, number numeric, day timestamptz, PRIMARY KEY ("group", "Order no")
);
"""
SAMPLES = Projection.parse(
    "samples",
    version=1,
    definition="-- table: read_sample\nSELECT * FROM sample",
    fold="-- fold: ignore\n-- on: SampleIgnored\nSELECT 1",
)
TEXTS = [
    "",
    " ",
    "a",
    "a ",
    "A",
    "O'Neil",
    '"quoted"',
    "back\\slash",
    "NULL",
    "{}",
    "(,)",
    "%s {0} $1",
    "\x01\x7f",
    "line\nbreak\r\ttab",
    "caf\u00e9",
    "cafe\u0301",
    "\u2028\u200b",
    "誤字",
    "\U0001f58b",
    "x" * 80,
]
#: Values that differ in the least.
UNLIKE: list[tuple[str, str, str]] = [
    ("words", "NULL", "''"),
    ("words", "''", "NULL"),
    ("words", "'a'", "'a '"),
    ("amount", "NULL", "0"),
    ("amount", "0.1", "0.10000000000000000000000001"),
    ("amount", "'NaN'", "0"),
    ("document", "'null'", "NULL"),
    ("document", """'{"a": 1}'""", """'{"a": "1"}'"""),
    ("document", "'[1, 2]'", "'[2, 1]'"),
    ("parts", "'{}'", "NULL"),
    ("parts", "'{a,NULL}'", "'{a,\"NULL\"}'"),
    ("exact", "0.1", "0.1::float8 + 1e-17 * 2"),
    ("at", "'infinity'", "NULL"),
    ("at", "'2026-01-01 00:00:00.000001Z'", "'2026-01-01Z'"),
]
#: Values that are written otherwise, and the same.
ALIKE: list[tuple[str, str, str]] = [
    ("words", "NULL", "NULL"),
    ("amount", "1.0", "1.00"),
    ("document", """'{"a": 1, "b": 2.0}'""", """'{"b": 2.00, "a": 1}'"""),
    ("exact", "0.0", "-0.0"),
    ("exact", "'NaN'", "'NaN'"),
    ("at", "'2026-01-01 02:00+02'", "'2026-01-01 00:00Z'"),
]


@pytest.fixture
async def samples(sql: Connection, building: Connect) -> AsyncIterator[Projection]:
    async with built(sql, building, SAMPLES, TABLES) as projection:
        yield projection


async def put(sql: Connection, table: str, column: str, value: str, *, group: str = "g") -> None:
    await sql.execute(f'INSERT INTO {table} ("group", "Order no", {column}) VALUES ($1, 7, {value})', group)


async def both(sql: Connection, column: str, value: str, *, other: str, group: str = "g") -> None:
    await put(sql, "sample", column, value, group=group)
    await put(sql, "read_sample", column, other, group=group)


@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize(("column", "expected", "found"), UNLIKE)
async def test_values_that_differ_in_the_least_are_found(
    sql: Connection, building: Connect, column: str, expected: str, found: str
) -> None:
    await both(sql, column, expected, other=found)
    (difference,) = await differences(building, [SAMPLES])
    assert difference.key == {"group": "g", "Order no": 7}
    assert difference.expected
    assert difference.found
    assert {name for name, value in difference.expected.items() if difference.found[name] != value} <= {column}


@pytest.mark.usefixtures("samples")
async def test_the_same_value_written_otherwise_is_no_difference(
    sql: Connection, building: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_BUCKETS", 1)  # so that the one row that differs makes it look at all
    for number, (column, expected, found) in enumerate(ALIKE):
        await both(sql, column, expected, other=found, group=f"g{number}")
    assert await differences(building, [SAMPLES]) == []
    await both(sql, "words", "'this'", other="'that'")
    (difference,) = await differences(building, [SAMPLES])
    assert difference.key == {"group": "g", "Order no": 7}


@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize(("column", "value", "other"), [("number", "7", "8"), ("day", "'2026-01-01'", "'2026-01-02'")])
async def test_a_column_of_another_type_is_compared_as_the_tables_type(
    sql: Connection, building: Connect, column: str, value: str, other: str
) -> None:
    await both(sql, column, value, other=value)
    assert await differences(building, [SAMPLES]) == []
    await sql.execute(f"UPDATE read_sample SET {column} = {other}")
    assert len(await differences(building, [SAMPLES])) == 1


@pytest.mark.usefixtures("samples")
async def test_texts_of_every_kind_are_compared_reported_and_mended(sql: Connection, building: Connect) -> None:
    for text in TEXTS:
        await sql.execute('INSERT INTO sample ("group", "Order no", words) VALUES ($1, 7, $1)', text)
    await sql.execute("INSERT INTO read_sample SELECT * FROM sample")
    assert await differences(building, [SAMPLES]) == []
    await sql.execute("UPDATE read_sample SET words = words || '.'")
    (verified,) = await verify(building, [SAMPLES])
    reported = {difference.key["group"]: difference for difference in verified.differences}
    assert reported.keys() == set(TEXTS)
    for text, difference in reported.items():
        assert (difference.expected or {})["words"] == text
        assert (difference.found or {})["words"] == text + "."
    assert await repair(building, SAMPLES, verified) == len(TEXTS)
    assert await differences(building, [SAMPLES]) == []


@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize("second", ["'a'", "'b'"], ids=["alike", "unlike"])
async def test_a_key_that_the_definition_has_twice_is_reported(sql: Connection, building: Connect, second: str) -> None:
    await both(sql, "words", "'a'", other="'a'")
    await put(sql, "sample", "words", second)
    (verified,) = await verify(building, [SAMPLES])
    (difference,) = verified.differences
    assert (difference.expected or {})["words"] == second.strip("'")
    with pytest.raises(UnrepairableError, match="The definition has rows that the table can't take"):
        await repair(building, SAMPLES, verified)
    assert await sql.fetchval("SELECT words FROM read_sample") == "a"


@pytest.mark.usefixtures("samples")
async def test_a_definition_that_fails_says_so(sql: Connection, building: Connect) -> None:
    await sql.execute("ALTER TABLE read_sample ALTER COLUMN words TYPE int USING 1")
    await put(sql, "sample", "words", "'no number'")
    with pytest.raises(asyncpg.InvalidTextRepresentationError, match="invalid input syntax for type integer"):
        await verify(building, [SAMPLES])
