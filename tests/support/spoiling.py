"""Rows of read tables spoilt by hand: a value changed, a row removed, a row added, as no fold would do it."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from projections.engine.checkpoint import Connection

Row = dict[str, Any]

#: Another value of each type; texts with what might upset whoever quotes them wrongly.
_OTHER: Final = {
    "int2": "13 - {0}",  # months: 1 or 12
    "int4": "{0} + 1",
    "int8": "{0} + 1",
    "bool": "NOT {0}",
    "uuid": "gen_random_uuid()",
    "date": "{0} + 1",
    "timestamptz": "{0} + interval '1 microsecond'",
    "varchar": r"E'O\'Neil \\ \"誤字\"\t{{NULL}}\n'",
    "text": "CASE {0} WHEN 'all' THEN 'post' ELSE E'\u2028\\x7f, (,) {{}} ' || {0} END",
}

_COLUMNS = """
SELECT
    a.attname AS name,
    CASE a.attname WHEN 'unread' THEN 'total - unread' ELSE $2::jsonb ->> t.typname END AS other,
    i.indkey IS NOT NULL AS in_key
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0
ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and an expression for another value in it."""

    name: str
    other: str
    in_key: bool


@dataclass(frozen=True, slots=True)
class Spoiler:
    """Spoils one table."""

    sql: Connection
    table: str
    columns: list[Column]

    @classmethod
    async def of(cls, sql: Connection, table: str) -> "Spoiler":
        """Learn what the table is like."""
        rows = await sql.fetch(_COLUMNS, table, orjson.dumps(_OTHER).decode())
        columns = [Column(row["name"], row["other"].format(row["name"]), row["in_key"]) for row in rows]
        return cls(sql, table, columns)

    @property
    def values(self) -> list[str]:
        """Columns beside the key."""
        return [column.name for column in self.columns if not column.in_key]

    def key(self, row: Row) -> Row:
        """Return the part of a row that is its key."""
        return {column.name: row[column.name] for column in self.columns if column.in_key}

    async def rows(self) -> list[Row]:
        """Return all rows, as JSON has them."""
        return [orjson.loads(row[0]) for row in await self.sql.fetch(f"SELECT to_jsonb(t)::text FROM {self.table} t")]

    async def change(self, row: Row, *columns: str) -> Row:
        """Change these columns of a row, and return it as it is then."""
        changes = ", ".join(f"{column.name} = {column.other}" for column in self.columns if column.name in columns)
        return await self._returned(f"UPDATE {self.table} t SET {changes} WHERE to_jsonb(t) = $1::jsonb", row)

    async def remove(self, row: Row) -> None:
        """Remove a row."""
        await self._returned(f"DELETE FROM {self.table} t WHERE to_jsonb(t) = $1::jsonb", row)

    async def add(self, row: Row) -> Row:
        """Add a row, or put one back."""
        return await self._returned(
            f"INSERT INTO {self.table} AS t SELECT * FROM jsonb_populate_record(NULL::{self.table}, $1::jsonb)", row
        )

    async def add_beside(self, row: Row) -> Row:
        """Add a row with another key and the same values, and return it."""
        last = [column for column in self.columns if column.in_key][-1]
        values = ", ".join(column.other if column is last else column.name for column in self.columns)
        return await self._returned(
            f"INSERT INTO {self.table} AS t SELECT {values} FROM {self.table} r WHERE to_jsonb(r) = $1::jsonb", row
        )

    async def _returned(self, statement: str, row: Row) -> Row:
        returned = await self.sql.fetchval(f"{statement} RETURNING to_jsonb(t)::text", orjson.dumps(row).decode())
        return dict(orjson.loads(returned))
