"""How many updates of each read table were made in place (HOT), as pg_stat_user_tables counts them."""

from dataclasses import dataclass
from typing import Final

from projections.engine.checkpoint import Connection

_UPDATES: Final = """
SELECT relname, n_tup_upd AS updated, n_tup_hot_upd AS in_place
FROM pg_stat_user_tables
WHERE schemaname = current_schema()
  AND relname LIKE 'read\\_%'
ORDER BY relname
"""


@dataclass(frozen=True, slots=True)
class Updates:
    """Of one table: updated rows, and how many of these in place."""

    updated: int
    in_place: int

    def since(self, earlier: "Updates") -> "Updates":
        """Return those that came after."""
        return Updates(self.updated - earlier.updated, self.in_place - earlier.in_place)

    def __str__(self) -> str:
        return f"{self.in_place / self.updated:.1%} of {self.updated:,} updates in place"


async def updates(connection: Connection) -> dict[str, Updates]:
    """Return them by table, as far as sessions have reported: each does when it ends, at the latest."""
    return {row["relname"]: Updates(row["updated"], row["in_place"]) for row in await connection.fetch(_UPDATES)}
