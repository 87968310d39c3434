"""Brings the read tables to what their definitions say of a run's rows, inside the run's transaction.

`run` calls it after the filling. Why this stays exact beside running workers is said in projections.engine.addition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.demo.batch import Ids, Kind, Size
from app.demo.progress import Report
from app.events import DemoAdded
from projections.engine.addition import add_rows, hold_steps
from projections.engine.checkpoint import Connection
from projections.engine.projection import ReadTable
from projections.registry import PROJECTIONS

_POSTS_AT_ONCE: Final = 2_500


@dataclass(frozen=True, slots=True)
class _Own:
    """Rows that are a run's own: `column` holds an id of that kind. `ranges`: cheap to add a few posts at once."""

    column: str
    kind: Kind
    scope: str | None = None
    ranges: bool = False


#: Of each read table, the rows of keys that a run has made. Rows that stand for everybody are in the totals below.
OWN: Final[Mapping[str, tuple[_Own, ...]]] = {
    "read_post": (_Own("id", "post"),),
    "read_post_total": (),
    "read_post_like": (_Own("post_id", "post", ranges=True),),
    "read_post_rank": (_Own("post_id", "post"),),
    "read_profile": (_Own("user_id", "user"),),
    "read_subscription": (_Own("target_id", "user"),),
    "read_notification": (_Own("post_id", "post"),),
    "read_notification_count": (_Own("user_id", "user"),),
    "read_announcement": (),
    "read_likes_daily": (_Own("scope_id", "post", "post", ranges=True), _Own("scope_id", "user", "author")),
    "read_likes_quarter_hourly": (_Own("scope_id", "post", "post", ranges=True), _Own("scope_id", "user", "author")),
    "read_likes_by_span": (_Own("post_id", "post", ranges=True),),
}

_COUNT_POSTS: Final = "UPDATE read_post_total SET total = total + $1"

# Summed up beforehand: steps wait while the totals are being changed.
_SUM_LIKES: Final = """
CREATE TEMPORARY TABLE demo_{bucket} ON COMMIT DROP AS
SELECT o.{bucket}, sum(o.likes) AS likes
FROM {table} o
WHERE o.scope = 'author'
  AND o.scope_id BETWEEN $1 AND $2
GROUP BY o.{bucket}
"""

_COUNT_LIKES: Final = """
INSERT INTO {table} AS r (scope, scope_id, {bucket}, likes)
SELECT 'all', '00000000-0000-0000-0000-000000000000', o.{bucket}, o.likes
FROM demo_{bucket} o
ORDER BY o.{bucket}
ON CONFLICT (scope, scope_id, {bucket}) DO UPDATE
SET likes = r.likes + excluded.likes
"""

_BUCKETS: Final = {"read_likes_daily": "day", "read_likes_quarter_hourly": "quarter_hour"}

_APPEND: Final = "INSERT INTO event (type, subject_id, actor_id) VALUES ($1, $2, $2)"


async def add_read_rows(connection: Connection, size: Size, ids: Ids, report: Report) -> None:
    """Add the run's rows to every read table, and what it adds to the totals; the last thing before the commit."""
    tables = [table for projection in PROJECTIONS for table in projection.tables]
    for table in tables:
        await _add_own(connection, table, size, ids, report)
    await connection.execute(f"ANALYZE {', '.join(table.name for table in tables)}")
    for name, bucket in _BUCKETS.items():
        await connection.execute(_SUM_LIKES.format(table=name, bucket=bucket), *ids.range("user"))
    await hold_steps(connection, PROJECTIONS)
    await connection.execute(_COUNT_POSTS, size.posts)
    for name, bucket in _BUCKETS.items():
        await connection.execute(_COUNT_LIKES.format(table=name, bucket=bucket))
    marker = DemoAdded(subject_id=ids.of("user", 0), actor_id=ids.of("user", 0))
    await connection.execute(_APPEND, marker.type, marker.subject_id)


async def _add_own(connection: Connection, table: ReadTable, size: Size, ids: Ids, report: Report) -> None:
    for own in OWN[table.name]:
        label = table.name.removeprefix("read_") + (f" ({own.scope})" if own.scope else "")
        report.begin(label, size.likes if own.ranges else None)
        where = f"{own.column} BETWEEN $1 AND $2" + (f" AND scope = '{own.scope}'" if own.scope else "")
        for first, last in _ranges(size, ids) if own.ranges else [ids.range(own.kind)]:
            report.advance(await add_rows(connection, table, where=where, values=(first, last)))


def _ranges(size: Size, ids: Ids) -> Iterator[tuple[UUID, UUID]]:
    for first in range(0, size.posts, _POSTS_AT_ONCE):
        yield ids.of("post", first), ids.of("post", first + _POSTS_AT_ONCE - 1)
