"""How differing rows are shown: by their key, with what is expected and what is found, as text or as JSON."""

from typing import Any, Final

import orjson
import typer

from projections.engine.comparison import Difference
from projections.engine.verify import Verified

_SHOWN: Final = 20
_LONGEST_VALUE: Final = 200


def print_differences(verified: Verified) -> None:
    """Print the rows that differ, a few of each table, and how many more there are."""
    for table in verified.tables:
        for difference in table.differences[:_SHOWN]:
            for line in _lines(difference):
                typer.echo(line)
        more = len(table.keys) - _SHOWN
        if more > 0:
            typer.echo(f"{table.table}: and {more:,} more")
        if not table.exhausted:
            typer.echo(f"{table.table}: and others that were too many to look at")


def as_json(verified: Verified) -> dict[str, Any]:
    """Return everything that was found. `exhausted` is false where there was too much to find all of it."""
    return {
        "projection": verified.projection,
        "rows": verified.rows,
        "different": verified.different,
        "exhausted": all(table.exhausted for table in verified.tables),
        "seconds": verified.seconds,
        "tables": [
            {
                "table": table.table,
                "rows": table.rows,
                "differences": [
                    {"key": each.key, "expected": each.expected, "found": each.found} for each in table.differences
                ],
            }
            for table in verified.tables
        ],
    }


def _lines(difference: Difference) -> list[str]:
    """Return a row's key, then both sides: whole rows, or only the columns that differ where both are there."""
    expected, found = difference.expected, difference.found
    if expected is not None and found is not None:
        unlike = [name for name in expected if expected[name] != found.get(name)]
        expected, found = {name: expected[name] for name in unlike}, {name: found[name] for name in unlike}
    key = ", ".join(f"{name} {value}" for name, value in difference.key.items())
    return [
        f"{difference.table}: {key}",
        f"  expected  {_row(expected)}",
        f"  found     {_row(found)}",
    ]


def _row(row: dict[str, Any] | None) -> str:
    if row is None:
        return "no such row"
    return ", ".join(f"{name}: {_short(value)}" for name, value in row.items())


def _short(value: object) -> str:
    said = orjson.dumps(value).decode()
    return said if len(said) <= _LONGEST_VALUE else f"{said[:_LONGEST_VALUE]}\N{HORIZONTAL ELLIPSIS}"
