"""A post by an author with many subscribers: how long until all are notified, and how reads fare meanwhile.

`python -m loadtests.engine.fan_out`, on servers of its own. Beside it stands the bare INSERT … SELECT of as many rows
into the notifications table. Twice: the first time everyone gets a first notification. Exits 1 if rows differ.
"""

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from app.commands.posts import PublishPost, publish_post
from loadtests.engine.display import OUT, spread
from loadtests.engine.hot import updates
from loadtests.engine.made_up import Blog
from loadtests.engine.own_system import OwnSystem, Worker, own_system, until_built, until_folded
from loadtests.engine.plain_sql import Cost, processor_seconds
from loadtests.engine.steady_reads import Reads, api, reading
from loadtests.engine.truth import number, verified
from loadtests.engine.writers import Crowd, crowd
from projections.cli.progress import progress
from projections.engine.checkpoint import Connection

_QUIET_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.02
_POSTS: Final = 100
_ROUNDS: Final = 2

_SUBSCRIBE: Final = """
INSERT INTO subscriptions (id, subscriber_id, target_user_id)
SELECT uuidv7(), u.id, $1
FROM users u
WHERE u.id <> $1
"""
_BARE: Final = """
INSERT INTO notifications (id, user_id, post_id, message)
SELECT uuidv7(), s.subscriber_id, $1, 'person-0 published “Post”'
FROM subscriptions s
WHERE s.target_user_id = $2
"""


@dataclass(slots=True, kw_only=True)
class FanOut:
    """Posts to all subscribers of one author."""

    connection: Connection
    crowd: Crowd
    worker: Worker

    async def bare(self) -> tuple[Cost, Reads]:
        """Insert as many rows by one statement, and take them back."""
        pid = self.connection.get_server_pid()
        author, post = await self._author(), await self.connection.fetchval("SELECT id FROM posts ORDER BY id LIMIT 1")
        async with reading() as reads:
            transaction = self.connection.transaction()
            await transaction.start()
            began, before = time.monotonic(), processor_seconds(pid)
            await self.connection.execute(_BARE, post, author)
            cost = Cost(seconds=time.monotonic() - began, processor=processor_seconds(pid) - before)
        await transaction.rollback()
        await self.connection.execute("VACUUM notifications")
        return cost, reads

    async def publish(self) -> tuple[float, float, Reads]:
        """Publish a post; return the seconds until all are notified, and until the read tables show it."""
        async with reading() as reads:
            began = time.monotonic()
            command = PublishPost(author_id=await self._author(), title="News", content="For everyone who follows.")
            await publish_post(self.crowd.store, command)
            while await self.connection.fetchval("SELECT EXISTS (SELECT FROM announcements)"):
                self.worker.require_alive()
                await asyncio.sleep(_LOOK_SECONDS)
            sent = time.monotonic() - began
            await until_folded(self.connection, self.worker)
            shown = time.monotonic() - began
        return sent, shown, reads

    async def _author(self) -> UUID:
        author: UUID = await self.connection.fetchval("SELECT id FROM users ORDER BY id LIMIT 1")
        return author


async def _round(fan_out: FanOut, people: int) -> None:
    async with reading() as quiet:
        await asyncio.sleep(_QUIET_SECONDS)
    bare, beside_bare = await fan_out.bare()
    sent, shown, meanwhile = await fan_out.publish()
    OUT.print(f"A post by an author with {people - 1:,} subscribers:")
    OUT.print(
        f"    notified after {sent:.1f} s, shown after {shown:.1f} s. The bare INSERT … SELECT: {bare.seconds:.1f} s "
        f"({bare.processor:.1f} s of the processor). Ratio {bare.seconds / shown:.2f}"
    )
    OUT.print(f"    reads, quiet: {spread(quiet.seconds)}")
    OUT.print(f"    beside the bare INSERT: {spread(beside_bare.seconds)}")
    OUT.print(f"    meanwhile: {spread(meanwhile.seconds)}; p99 {meanwhile.p99 / quiet.p99:.2f} times the quiet one")
    OUT.print(f"    the worker's peak memory: {fan_out.worker.peak_bytes / 1_000_000:.1f} MB")


async def main(system: OwnSystem, *, people: int) -> int:
    """Measure; return the exit code."""
    connection = await asyncpg.connect(system.config.database_url)
    await Blog(people=people, posts=_POSTS).write(connection)
    await connection.execute("SET session_replication_role = replica")  # right by construction
    await connection.execute(_SUBSCRIBE, await connection.fetchval("SELECT id FROM users ORDER BY id LIMIT 1"))
    await connection.execute("RESET session_replication_role")
    await connection.execute("VACUUM ANALYZE subscriptions")
    with progress() as report, system.worker() as worker:
        await until_built(connection, worker)
        idle = worker.peak_bytes
        async with (
            api(system.folder),
            crowd(system.config, connection, chance=random.Random(1)) as people_,
        ):
            fan_out = FanOut(connection=connection, crowd=people_, worker=worker)
            for _ in range(_ROUNDS):
                await _round(fan_out, people)
        OUT.print(f"The worker before: {idle / 1_000_000:.1f} MB")
        wrong = number(await verified(system.config, report))
    for table, made in (await updates(connection)).items():
        if made.updated:
            OUT.print(f"{table}: {made}")
    OUT.print(f"verify: {wrong} rows differ")
    await connection.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_001, help="one of them is followed by all others")
    arguments = parser.parse_args()
    with own_system() as system_:
        sys.exit(asyncio.run(main(system_, **vars(arguments))))
