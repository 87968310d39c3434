"""Read tables spoilt by hand: rows changed, removed or made up behind the back of the projection that owns them."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import orjson

from tests.soak.oracle import Json
from tests.soak.stack import Stack

#: Of each table: what a change does, and what makes another row of a copy; None where there is no room for another.
_TABLES: Final[dict[str, tuple[str, str | None]]] = {
    "read_post": ("like_count = like_count + 7", "'id', gen_random_uuid()"),
    "read_post_total": ("total = total + 1", None),
    "read_post_like": ("liked_at = liked_at - interval '1 hour'", "'user_id', gen_random_uuid()"),
    "read_profile": ("subscriber_count = subscriber_count + 1", "'user_id', gen_random_uuid()"),
    "read_subscription": ("since = since - interval '1 day'", "'target_id', gen_random_uuid()"),
    "read_notification": ("is_read = NOT is_read", "'id', gen_random_uuid()"),
    "read_notification_count": ("total = total + 1", "'user_id', gen_random_uuid()"),
    "read_post_rank": ("like_count = like_count + 1", "'post_id', gen_random_uuid()"),
    "read_likes_daily": ("likes = likes + 1", "'day', r.day - 1000"),
    "read_likes_quarter_hourly": ("likes = likes + 1", "'quarter_hour', r.quarter_hour - interval '1 year'"),
    "read_likes_by_span": ("likes = likes + 1", "'first_day', r.first_day - interval '20 years'"),
}

_ROW = """
WHERE r.ctid = (
    SELECT ctid FROM {table} ORDER BY ctid LIMIT 1 OFFSET $1 % nullif((SELECT count(*) FROM {table}), 0)
)
"""
_SPOIL: Final = {
    "changed": f"UPDATE {{table}} r SET {{change}} {_ROW} RETURNING to_jsonb(r.*)::text AS row",
    "removed": f"DELETE FROM {{table}} r {_ROW} RETURNING to_jsonb(r.*)::text AS row",
    "made up": f"""
        INSERT INTO {{table}} AS n
        SELECT (jsonb_populate_record(r, jsonb_build_object({{other}}))).*
        FROM {{table}} r
        {_ROW}
        RETURNING to_jsonb(n.*)::text AS row
    """,
}

TABLES: Final = tuple(_TABLES)
How: TypeAlias = Literal["changed", "removed", "made up"]
HOWS: Final[tuple[How, ...]] = ("changed", "removed", "made up")


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A row that was spoilt, as it was when it was removed, or as it is since."""

    table: str
    how: How
    row: Json

    def is_meant_by(self, table: str, difference: Json) -> bool:
        """Say whether a difference that verify reports is this one, and nothing more."""
        expected, found = difference["expected"], difference["found"]
        if self.how == "removed":
            return (table, expected, found) == (self.table, self.row, None)
        return (table, found) == (self.table, self.row) and (expected is None) == (self.how == "made up")


def spoil(stack: Stack, table: str, how: How, number: int) -> Spoilt | None:
    """Spoil the row that the number chooses; None if the table has none, or no room for another."""
    change, other = _TABLES[table]
    if how == "made up" and other is None:
        return None
    rows = stack.sql(_SPOIL[how].format(table=table, change=change, other=other), number)
    return Spoilt(table, how, orjson.loads(rows[0]["row"])) if rows else None
