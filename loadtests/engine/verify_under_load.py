"""Verification beside Locust: how long it takes, whether it is ever wrong, and whether it finds what was spoilt.

`python -m loadtests.engine.verify_under_load`, on a running system whose blog has some old posts with likes, as
`inkfold demo` makes them. It spoils ten rows of read tables, which the repair then mends. Exits 1 if anything is not
as it must be.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from app.db import connect_building
from app.embedded.environment import join_running_up
from app.settings import Settings, settings
from loadtests.engine.display import OUT
from loadtests.engine.load import load, now
from loadtests.engine.truth import number, verified
from projections.cli.progress import progress
from projections.engine.checkpoint import Connection
from projections.engine.connections import opened
from projections.engine.repair import repair
from projections.engine.report import Report
from projections.engine.verify import Verified
from projections.registry import PROJECTIONS

Key: TypeAlias = tuple[str, tuple[str, ...]]

#: Old posts, which the people of the load don't come across; the first of them have likes.
_OLD_POSTS: Final = """
SELECT p.id
FROM (SELECT id, created_at FROM read_post ORDER BY created_at, id LIMIT 1000) p
JOIN read_post_rank k ON k.post_id = p.id
WHERE k.like_count > 0
ORDER BY p.created_at, p.id
LIMIT 8
"""

#: Each spoils one row about the old post $1 and returns its key: table, what is done, statement.
_SPOIL: Final = (
    ("read_post", "wrong count", "UPDATE read_post SET like_count = like_count + 1000 WHERE id = $1 RETURNING id"),
    ("read_post", "wrong title", "UPDATE read_post SET title = title || '!' WHERE id = $1 RETURNING id"),
    ("read_post", "deleted", "DELETE FROM read_post WHERE id = $1 RETURNING id"),
    (
        "read_post",
        "additional",
        """
        INSERT INTO read_post
        SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).*
        FROM read_post r
        WHERE id = $1
        RETURNING id
        """,
    ),
    (
        "read_post_like",
        "deleted",
        """
        DELETE FROM read_post_like
        WHERE (post_id, user_id) = (SELECT post_id, user_id FROM read_post_like WHERE post_id = $1 LIMIT 1)
        RETURNING post_id, user_id
        """,
    ),
    (
        "read_post_like",
        "additional",
        "INSERT INTO read_post_like VALUES ($1, gen_random_uuid(), 'nobody', now()) RETURNING post_id, user_id",
    ),
    (
        "read_profile",
        "wrong count",
        """
        UPDATE read_profile
        SET likes_received = likes_received - 1
        WHERE user_id = (SELECT author_id FROM read_post_rank WHERE post_id = $1)
        RETURNING user_id
        """,
    ),
    ("read_post_rank", "deleted", "DELETE FROM read_post_rank WHERE post_id = $1 RETURNING post_id"),
    (
        "read_likes_daily",
        "wrong count",
        """
        UPDATE read_likes_daily
        SET likes = likes + 1
        WHERE scope = 'post'
          AND scope_id = $1
          AND day = (SELECT min(day) FROM read_likes_daily WHERE scope = 'post' AND scope_id = $1)
        RETURNING scope, scope_id, day
        """,
    ),
    (
        "read_likes_quarter_hourly",
        "additional",
        """
        INSERT INTO read_likes_quarter_hourly
        VALUES ('post', $1, '2001-01-01 00:15Z', 7)
        RETURNING scope, scope_id, quarter_hour
        """,
    ),
)


async def measure(config: Settings, report: Report) -> tuple[list[str], list[tuple[str, float, float]]]:
    """Verify, spoil, verify, repair and verify; return what was not as it must be, and when each was under way."""
    wrong: list[str] = []
    spans: list[tuple[str, float, float]] = []

    async def look(label: str) -> Sequence[Verified]:
        began = now()
        found = await verified(config, report)
        spans.append((f"{label}: {number(found)} of {sum(each.rows for each in found):,} rows differ", began, now()))
        return found

    found = await look("verify")
    wrong += [f"false alarm: {difference}" for each in found for difference in each.differences]
    async with opened(partial(connect_building, config)) as connection:
        spoilt = await _spoil(connection, report)
    found = await look("verify, ten rows spoilt")
    seen = {_key(each.table, each.key.values()) for one in found for each in one.differences}
    wrong += [f"not found: {each}" for each in spoilt - seen] + [f"false alarm: {each}" for each in seen - spoilt]
    began = now()
    mended = 0
    for projection, each in zip(PROJECTIONS, found, strict=True):
        if each.differences:
            mended += await repair(partial(connect_building, config), projection, each)
    spans.append((f"repair: {mended} rows mended", began, now()))
    found = await look("verify, mended")
    wrong += [f"still different: {difference}" for each in found for difference in each.differences]
    return wrong, spans


async def _spoil(connection: Connection, report: Report) -> set[Key]:
    """Spoil a row by each statement, with a post of its own where it touches the post; return the keys."""
    posts = [row[0] for row in await connection.fetch(_OLD_POSTS)]
    if len(posts) < 8:  # noqa: PLR2004 - as the query says
        raise SystemExit("There are too few old posts with likes. First: inkfold demo")
    await connection.execute("SET synchronous_commit = on")
    spoilt: set[Key] = set()
    for turn, (table, how, statement) in enumerate(_SPOIL):
        row = await connection.fetchrow(statement, posts[turn % len(posts)])
        if row is None:
            raise SystemExit(f"Nothing to spoil in {table}.")
        spoilt.add(_key(table, row.values()))
        report.note(f"Spoilt {table} ({how}): {', '.join(map(str, row.values()))}")
    return spoilt


def _key(table: str, values: Iterable[Any]) -> Key:
    """Return a key that is the same from a row and from JSON."""
    return table, tuple(str(value).replace(" ", "T") for value in values)


async def main() -> int:
    """Measure the system that runs on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=30)
    arguments = parser.parse_args()
    async with load(arguments.users) as found:
        with progress() as report:
            wrong, spans = await measure(settings(), report)
    OUT.print(f"{arguments.users} people of Locust read and write meanwhile.")
    for label, began, ended in spans:
        OUT.print(f"{label}, {ended - began:.1f} s\n    {found.during(began, ended)}")
    for sentence in wrong:
        OUT.print(sentence)
    OUT.print("Exactly what was spoilt was found, and mended." if not wrong else f"{len(wrong)} things are wrong.")
    return 1 if wrong else 0


if __name__ == "__main__":
    join_running_up()
    sys.exit(asyncio.run(main()))
