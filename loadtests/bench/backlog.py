"""Catching up with likes written while every projection was paused, against the folds' SQL over all of them at once."""

import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from app.doorbell import FOLD
from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import Aim, LineFailedError
from loadtests.engine.own_system import ringable
from projections.engine.checkpoint import Connection, pause, resume
from projections.engine.step_events import count, prepare_session, run_folds
from projections.registry import PROJECTIONS

#: Likes in a transaction.
_EACH: Final = 1_000

_PLACES: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS bench_user AS
SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM users WHERE username LIKE 'demo-%';
CREATE UNIQUE INDEX IF NOT EXISTS bench_user_number ON bench_user (number);
CREATE TEMPORARY TABLE IF NOT EXISTS bench_post AS
SELECT row_number() OVER (ORDER BY md5(id::text)) - 1 AS number, id, author_id FROM posts;
CREATE UNIQUE INDEX IF NOT EXISTS bench_post_number ON bench_post (number);
ANALYZE bench_user, bench_post;
"""

# As the command does it: the like, and its event as the last statement; many at once. Each of the posts numbered from
# $1 up to, not including, $2 gets $3 likes, by users who lie next to each other, beginning with one that depends on $4.
_WRITE: Final = """
WITH given AS (
    INSERT INTO likes (id, user_id, post_id)
    SELECT uuidv7(), u.id, p.id
    FROM bench_post p
    CROSS JOIN generate_series(0, $3::bigint - 1) turn
    JOIN bench_user u ON u.number = (p.number * 31 + turn + $4::bigint) % (SELECT count(*) FROM bench_user)
    WHERE p.number >= $1::bigint AND p.number < $2::bigint
    ON CONFLICT (post_id, user_id) DO NOTHING
    RETURNING user_id, post_id, created_at
),

appended AS (
    INSERT INTO event (type, subject_id, actor_id, payload)
    SELECT
        'PostLiked', g.post_id, g.user_id,
        jsonb_build_object('author_id', p.author_id, 'liked_at', g.created_at)
    FROM given g
    JOIN posts p ON p.id = g.post_id
    RETURNING 1
)

SELECT count(*) FROM appended
"""

_NOW: Final = "SELECT pg_current_xact_id()::text"
_COLLECT: Final = "INSERT INTO step_event SELECT * FROM event WHERE tx > $1::text::xid8"
_SESSION: Final = {"application_name": "inkfold-bench", "jit": "off", "TimeZone": "UTC", "synchronous_commit": "off"}


async def _write(bench: Bench) -> int:
    """Write the backlog; return how many likes it has."""
    connection, size = bench.connection, bench.size
    await connection.execute(_PLACES)
    each = -(-size.backlog // size.blog.posts)
    posts = min(size.blog.posts, size.backlog // each)
    bench.report.begin("Writing likes that nobody folds", size.backlog, "likes")
    written, step = 0, max(1, _EACH // each)
    offset = random.randrange(size.blog.users)
    await connection.execute("SET session_replication_role = replica")  # the rows refer to each other rightly
    for first in range(0, posts, step):
        written += await connection.fetchval(_WRITE, first, min(first + step, posts), each, offset)
        bench.report.reach(written)
    await connection.execute("RESET session_replication_role")
    if not written:
        raise LineFailedError("Everybody likes everything already: there is no backlog to write.")
    return written


async def _plain(bench: Bench, after: str, likes: int) -> float:
    """Run the folds once over all events of transactions after `after`; return the seconds. Nothing of it is kept."""
    connection = await asyncpg.connect(bench.system.config.database_url, server_settings=_SESSION)
    try:
        await prepare_session(connection)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(_COLLECT, after)
        await connection.execute("ANALYZE step_event")
        events = await count(connection)
        if sum(events.values()) != likes:
            raise LineFailedError(f"{likes:,} likes were written, and {events} happened.")
        began = time.perf_counter()
        for projection in PROJECTIONS:
            await run_folds(connection, projection, events)
        took = time.perf_counter() - began
        await transaction.rollback()
    finally:
        await connection.close()
    await bench.connection.execute(f"VACUUM {', '.join(_tables())}")
    return took


def _tables() -> list[str]:
    return [table.name for projection in PROJECTIONS for table in projection.tables]


async def _for_all(change: Callable[[Connection, str], Awaitable[bool]], connection: Connection) -> None:
    for projection in PROJECTIONS:
        await change(connection, projection.name)


async def _catch_up(bench: Bench) -> dict[str, float]:
    await bench.caught_up()
    await _for_all(pause, bench.connection)
    try:
        after = await bench.connection.fetchval(_NOW)
        likes = await _write(bench)
        bench.report.begin("Folding by plain SQL", None, "likes")
        plain = await _plain(bench, after, likes)
    finally:
        await _for_all(resume, bench.connection)
    bench.report.begin("Catching up", None, "likes")
    async with ringable(bench.system.config) as doorbell:
        with bench.system.processes.spending() as spent:
            began = time.perf_counter()
            doorbell.ring(FOLD)
            await bench.caught_up()
            took = time.perf_counter() - began
    bench.noise.saw(bench.line, spent.others)
    return {
        "likes": float(likes),
        "per_second": likes / took,
        "limit_per_second": likes / plain,
        "ratio": plain / took,
        "worker_mb": bench.system.processes.megabytes()["worker"],
    } | {f"{group}_cpu_us": micros for group, micros in spent.per_request(likes).items()}


CATCH_UP: Final = Line(
    name="catch_up",
    title="catch-up of like events",
    limit="the folds' statements once over all of them, as plain SQL",
    aims=(Aim(figure="ratio", at_least=0.5),),
    measure=_catch_up,
)
