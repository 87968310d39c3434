"""A post by an author whom very many follow: its notifications against a bare INSERT … SELECT, and reads meanwhile."""

import asyncio
import time
from typing import Final
from uuid import UUID

import orjson

from loadtests.bench.bench import Bench, Line
from loadtests.bench.client import ask
from loadtests.bench.figures import Aim, LineFailedError, Load
from loadtests.bench.pace import pacing

_READS_PER_SECOND: Final = 100
_READERS: Final = 32
_LOOK_SECONDS: Final = 0.02
_MOST_SECONDS: Final = 1_800

_POSTS: Final = "SELECT id FROM posts ORDER BY md5(id::text) LIMIT 10000"
_ANNOUNCING: Final = "SELECT EXISTS (SELECT FROM announcements WHERE post_id = $1)"
_SHOWN: Final = "SELECT count(*) FROM read_notification WHERE post_id = $1"
_ANOTHER_POST: Final = "SELECT id FROM posts WHERE author_id <> $1 LIMIT 1"
_INSERT: Final = """
INSERT INTO notifications (id, user_id, post_id, message)
SELECT uuidv7(), s.subscriber_id, $1, 'bench-star published “To all of you”'
FROM subscriptions s
WHERE s.target_user_id = $2
"""


async def _plain(bench: Bench) -> float:
    """Insert as many rows by one statement, and take them back; return the statement's seconds."""
    post = await bench.connection.fetchval(_ANOTHER_POST, bench.people.star.id)
    transaction = bench.connection.transaction()
    await transaction.start()
    began = time.perf_counter()
    await bench.connection.execute(_INSERT, post, bench.people.star.id)
    took = time.perf_counter() - began
    await transaction.rollback()
    await bench.connection.execute("VACUUM notifications")
    return took


async def _until_all_know(bench: Bench, post: UUID) -> float:
    """Return the seconds until every subscriber's notification stands in the read table."""
    began = time.perf_counter()
    while await bench.connection.fetchval(_ANNOUNCING, post):
        if time.perf_counter() - began > _MOST_SECONDS:
            raise LineFailedError(f"The post was not announced within {_MOST_SECONDS} s.")
        await asyncio.sleep(_LOOK_SECONDS)
    await bench.caught_up()
    took = time.perf_counter() - began
    if (shown := await bench.connection.fetchval(_SHOWN, post)) != bench.size.fans:
        raise LineFailedError(f"{bench.size.fans:,} subscribers, and {shown:,} notifications.")
    return took


async def _fan_out(bench: Bench) -> dict[str, float]:
    posts = await bench.connection.fetch(_POSTS)
    reads = bench.load(*(f"/posts/{row['id']}/" for row in posts), connections=_READERS)
    plain = await _plain(bench)
    async with pacing(reads, per_second=_READS_PER_SECOND) as quiet:
        await asyncio.sleep(bench.seconds)
    published = Load(port=bench.system.port, paths=["/posts/"], method="POST", tokens=[bench.people.star.token])
    async with pacing(reads, per_second=_READS_PER_SECOND) as meanwhile:
        with bench.system.processes.spending() as spent:
            answer = await ask(published, body=b'{"title": "To all of you", "content": "Here is news."}')
            took = await _until_all_know(bench, UUID(orjson.loads(answer.body)["id"]))
    bench.noise.saw(bench.line, spent.others)
    return {
        "subscribers": float(bench.size.fans),
        "per_second": bench.size.fans / took,
        "limit_per_second": bench.size.fans / plain,
        "ratio": plain / took,
        "reads_p99_ms": meanwhile.rate.p99_ms,
        "reads_p99_before_ms": quiet.rate.p99_ms,
        "reads_slower": meanwhile.rate.p99_ms / quiet.rate.p99_ms,
    }


FAN_OUT: Final = Line(
    name="fan_out",
    title="a post by an author whom many follow",
    limit="one bare INSERT … SELECT of as many notifications",
    aims=(Aim(figure="ratio", at_least=0.5), Aim(figure="reads_slower", at_most=2)),
    measure=_fan_out,
)
