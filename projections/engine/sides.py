"""Both sides of a comparison: a statement on a definition in one session, and on its table in another, at once."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import asyncpg

from projections.engine.checkpoint import Connection
from projections.engine.projection import ReadTable

#: PostgreSQL ends sessions of a verification that are silent for longer than 10 s; whoever has to wait says something.
_AWAKE_SECONDS: Final = 2.0

Row: TypeAlias = "asyncpg.Record"


@dataclass(frozen=True, slots=True)
class Sides:
    """Sessions that read the definition and the table; `{relation}` in a statement stands for either."""

    defined: Connection
    shown: Connection
    table: ReadTable

    async def fetch(self, sql: str, *values: Any) -> tuple[list[Row], list[Row]]:
        """Run the statement on both sides at once, each with its relation."""
        statements = [
            asyncio.create_task(self.defined.fetch(sql.replace("{relation}", self.table.view), *values)),
            asyncio.create_task(self.shown.fetch(sql.replace("{relation}", self.table.name), *values)),
        ]
        try:
            while not all(statement.done() for statement in statements):
                await asyncio.wait(statements, timeout=_AWAKE_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
                for connection, statement in zip((self.defined, self.shown), statements, strict=True):
                    if statement.done():
                        statement.result()  # raises its error
                        await connection.execute("SELECT 1")
        finally:
            for statement in statements:
                statement.cancel()
            await asyncio.gather(*statements, return_exceptions=True)
        return statements[0].result(), statements[1].result()
