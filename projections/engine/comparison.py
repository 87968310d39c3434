"""Comparison of a definition, read in one session, with its table, read in another: by digests of parts, then by rows.

Verify calls it. Each side adds up 64-bit hashes of its rows, seeded anew in each run, in buckets by key; only buckets
that differ are fetched. That two different sides look alike takes a chance of 1 in 2^64.
"""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from projections.engine.catalog import key_of, typed_columns
from projections.engine.checkpoint import Connection
from projections.engine.projection import ReadTable
from projections.engine.sides import Row, Sides

#: Rows fall into so many buckets by a hash of their key, the same on both sides.
_BUCKETS: Final = 1 << 16
#: A sample takes one bucket in so many, others in each run.
_SAMPLED: Final = 100
#: So many differing rows of a table are shown in full.
SHOWN: Final = 100
#: The keys of more rows than this are not fetched to find out which of them differ.
MOST_FETCHED: Final = 200_000

_DIGESTS = """
SELECT
    b.bucket_ AS bucket,
    count(*) AS number,
    sum(hash_record_extended(ROW({columns}), {seed})) AS digest
FROM (
    SELECT (hash_record_extended(ROW({key}), {seed}) & {mask})::int AS bucket_, r.*
    FROM {relation} r
) b
WHERE {condition}
GROUP BY b.bucket_
"""

_ROWS = """
SELECT
    {key},
    hash_record_extended(ROW({columns}), {seed}) AS digest
FROM {relation}
WHERE (hash_record_extended(ROW({key}), {seed}) & {mask})::int = ANY ($1::int[])
"""

_TEXTS = """
SELECT
    {key},
    to_jsonb(ROW({columns})::{table})::text AS row
FROM {relation}
WHERE (hash_record_extended(ROW({key}), {seed}) & {mask})::int = ANY ($1::int[])
  AND hash_record_extended(ROW({columns}), {seed}) = ANY ($2::bigint[])
"""

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not as its definition says; `expected` or `found` is None where there is no such row."""

    table: str
    key: dict[str, Any]
    expected: dict[str, Any] | None
    found: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a comparison found: how many rows, the keys that differ, and some of these rows in full.

    Where so much differs that not all of it was looked at, the comparison is not `exhausted`.
    """

    table: str
    rows: int
    differences: list[Difference]
    keys: list[Key]
    exhausted: bool


async def compare(table: ReadTable, defined: Connection, shown: Connection, *, sample: bool) -> Compared:
    """Compare the definition as `defined` sees it with the table as `shown` sees it."""
    seed = secrets.randbits(63)
    columns = await typed_columns(shown, table.name)
    key = await key_of(shown, table.name)
    parts = {
        "columns": ", ".join(columns),
        "key": ", ".join(_typed(columns, name) for name in key),
        "seed": seed,
        "mask": _BUCKETS - 1,
        "table": table.name,
    }
    condition = f"b.bucket_ % {_SAMPLED} = {secrets.randbelow(_SAMPLED)}" if sample else "true"
    digests = _DIGESTS.format(relation="{relation}", condition=condition, **parts)
    both = Sides(defined, shown, table)
    wanted, found = await both.fetch(digests)
    expected = {row["bucket"]: (row["number"], row["digest"]) for row in wanted}
    actual = {row["bucket"]: (row["number"], row["digest"]) for row in found}
    rows = max(sum(number for number, _ in side.values()) for side in (expected, actual)) if expected or actual else 0
    wrong = [bucket for bucket in expected.keys() | actual.keys() if expected.get(bucket) != actual.get(bucket)]
    chosen = _affordable(wrong, expected, actual)
    unlike = _unlike(*(await both.fetch(_ROWS.format(relation="{relation}", **parts), chosen))) if chosen else {}
    some = {each: unlike[each] for each in list(unlike)[:SHOWN]}
    texts = await _in_full(both, _TEXTS.format(relation="{relation}", **parts), chosen, some)
    return Compared(
        table=table.name,
        rows=rows,
        differences=[_difference(table.name, key, *pair) for pair in texts.values()],
        keys=list(unlike),
        exhausted=len(chosen) == len(wrong),
    )


def _typed(columns: Sequence[str], name: str) -> str:
    return next(column for column in columns if column.rpartition("::")[0] == name)


def _affordable(
    buckets: Sequence[int], expected: dict[int, tuple[int, int]], actual: dict[int, tuple[int, int]]
) -> list[int]:
    """Return as many of the buckets as can be fetched, at least one."""
    chosen: list[int] = []
    rows = 0
    for bucket in sorted(buckets):
        rows += expected.get(bucket, (0, 0))[0] + actual.get(bucket, (0, 0))[0]
        if chosen and rows > MOST_FETCHED:
            break
        chosen.append(bucket)
    return chosen


def _unlike(wanted: Sequence[Row], found: Sequence[Row]) -> dict[Key, tuple[int | None, int | None]]:
    """Return the digests of rows that only one side has, as expected and found, by their keys.

    Rows that PostgreSQL holds equal are equal, even when they are written otherwise, as 1.0 and 1.00 are.
    """
    expected, actual = (Counter(map(tuple, side)) for side in (wanted, found))
    missing = {row[:-1]: row[-1] for row in expected - actual}
    extra = {row[:-1]: row[-1] for row in actual - expected}
    return {key: (missing.get(key), extra.get(key)) for key in sorted(missing.keys() | extra.keys(), key=str)}


async def _in_full(
    both: Sides, sql: str, buckets: Sequence[int], unlike: Mapping[Key, tuple[int | None, int | None]]
) -> dict[Key, tuple[str | None, str | None]]:
    """Return the rows of these keys as JSON, as expected and found."""
    if not unlike:
        return {}
    digests = [digest for pair in unlike.values() for digest in pair if digest is not None]
    wanted, found = await both.fetch(sql, buckets, digests)
    expected = {tuple(row)[:-1]: row["row"] for row in wanted}
    actual = {tuple(row)[:-1]: row["row"] for row in found}
    return {
        key: (None if pair[0] is None else expected[key], None if pair[1] is None else actual[key])
        for key, pair in unlike.items()
    }


def _difference(table: str, key: Sequence[str], expected: str | None, found: str | None) -> Difference:
    wanted = orjson.loads(expected) if expected else None
    seen = orjson.loads(found) if found else None
    row = wanted or seen or {}
    names = [name.strip('"').replace('""', '"') for name in key]
    return Difference(table=table, key={name: row[name] for name in names}, expected=wanted, found=seen)
