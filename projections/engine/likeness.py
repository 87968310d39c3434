"""Likeness: making a table that is like another in all but its rows, and telling when that one was altered since.

The shadow uses it. Rows go in between `create` and `complete`.
"""

from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Final

from projections.engine.checkpoint import Connection
from projections.engine.sql_blocks import blocks

_SQL: Final = dict(blocks(files(__package__).joinpath("likeness.sql").read_text(encoding="utf-8"), "query"))


async def create(connection: Connection, original: str, place: str) -> None:
    """Make the empty table at `place`, a schema and a name, without indexes and grants."""
    await connection.execute(
        f"CREATE TABLE {place} (LIKE {original} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)"
    )
    for statement in await _statements(connection, "beforehand", [original], [place]):
        await connection.execute(statement)
    for statement in await _statements(connection, "unasked", [place]):
        await connection.execute(statement)


async def complete(connection: Connection, original: str, place: str) -> None:
    """Give the filled table the indexes, constraints, grants and comments of the original, and statistics."""
    for statement in await _statements(connection, "afterwards", [original], [place]):
        await connection.execute(statement)
    await connection.execute(f"ANALYZE {place}")


async def fingerprints(connection: Connection, originals: Sequence[str], views: Sequence[str]) -> dict[str, str]:
    """Return of each table a digest that changes when anything but its rows does, or the view that defines it."""
    somewhere = ["somewhere.table"] * len(originals)
    digests = {original: sha256() for original in originals}
    for query, others in (("beforehand", somewhere), ("afterwards", somewhere), ("copied", views)):
        for row in await connection.fetch(_SQL[query], originals, others):
            digests[row["original"]].update(row["statement"].encode() + b"\0")
    return {original: digest.hexdigest() for original, digest in digests.items()}


async def dependents(connection: Connection, tables: Sequence[str]) -> list[tuple[str, str]]:
    """Return what would be lost with the tables: of which table, and what, in words."""
    return [(row["original"], row["dependent"]) for row in await connection.fetch(_SQL["dependents"], tables)]


async def _statements(connection: Connection, query: str, *relations: Sequence[str]) -> list[str]:
    return [row["statement"] for row in await connection.fetch(_SQL[query], *relations)]
