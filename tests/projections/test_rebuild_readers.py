"""Queries, writers and steps during rebuilds: tables are whole at every moment, and never older than before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import asyncpg
import pytest

from app.db import READER_ROLE
from app.settings import Settings
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.rebuild import rebuild
from projections.engine.snapshot import Snapshot
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide
from tests.support.rebuilding import begun, held_up, until, until_filling_waits

REBUILDS = 4

#: Each of one projection, whose tables always reflect one and the same snapshot. Both figures of each count the same.
_LOOKS = (
    """
    SELECT c.snapshot::text, t.total AS figure, (SELECT count(*) FROM read_post) AS same
    FROM read_post_total t
    JOIN checkpoint c ON c.projection = 'posts'
    """,
    """
    SELECT
        c.snapshot::text,
        (SELECT sum(likes) FROM read_likes_daily WHERE scope = 'all') AS figure,
        (SELECT sum(likes) FROM read_likes_quarter_hourly WHERE scope = 'post') AS same
    FROM checkpoint c
    WHERE c.projection = 'like_statistics'
    """,
    """
    SELECT
        c.snapshot::text,
        (SELECT sum(likes_received) FROM read_profile) AS figure,
        (SELECT sum(r.likes_received) FROM read_profile r JOIN read_profile USING (user_id)) AS same
    FROM checkpoint c
    WHERE c.projection = 'profiles'
    """,
)

#: What only the owner can see: that the posts are those of the snapshot that the checkpoint names.
_EXACT_LOOK = """
    SELECT
        c.snapshot::text,
        (SELECT count(*) FROM read_post) AS figure,
        (SELECT count(*) FROM event WHERE type = 'PostPublished' AND pg_visible_in_snapshot(tx, c.snapshot)) AS same
    FROM checkpoint c
    WHERE c.projection = 'posts'
"""


@dataclass
class Looking:
    """A client that looks again and again, by statements that it has prepared once."""

    connection: Connection
    ended: asyncio.Event
    statements: Sequence[str] = _LOOKS
    looks: int = 0
    figures: list[int] = field(default_factory=lambda: [0] * len(_LOOKS))

    async def go_on(self) -> None:
        prepared = [await self.connection.prepare(statement) for statement in self.statements]
        snapshots = [Snapshot(1, 1, frozenset())] * len(prepared)
        while not self.ended.is_set():
            for number, statement in enumerate(prepared):
                row = await statement.fetchrow()
                assert row is not None
                snapshot = Snapshot.parse(row["snapshot"])
                assert row["figure"] == row["same"]
                assert row["figure"] >= self.figures[number]
                assert snapshot.covers(snapshots[number])
                self.figures[number], snapshots[number] = row["figure"], snapshot
            self.looks += 1


@pytest.fixture
async def looking(sql: Connection, config: Settings) -> AsyncIterator[list[Looking]]:  # noqa: ARG001 - emptied first
    role = {"role": READER_ROLE}
    readers = [await asyncpg.connect(config.database_url, server_settings=role) for _ in range(4)]
    owner = await asyncpg.connect(config.database_url)
    ended = asyncio.Event()
    yield [*(Looking(reader, ended) for reader in readers), Looking(owner, ended, [_EXACT_LOOK])]
    for connection in (*readers, owner):
        await connection.close()


async def write(blog: Blog, ended: asyncio.Event) -> None:
    author = await blog.user()
    while not ended.is_set():
        post = await blog.post(author)
        await blog.like(post, author)
        await blog.like(post, await blog.user())


async def fold(projector: Projector, ended: asyncio.Event) -> None:
    while not ended.is_set():
        await projector.fold()
        await asyncio.sleep(0)


async def rebuild_repeatedly(building: Building, looking: list[Looking], ended: asyncio.Event) -> None:
    try:
        for _ in range(REBUILDS):
            await rebuild(building, PROJECTIONS)
            enough = [looker.looks + 2 for looker in looking]
            await until(partial(_have_looked, looking, enough))
    finally:
        ended.set()


def _have_looked(looking: list[Looking], enough: list[int]) -> bool:
    return all(looker.looks > number for looker, number in zip(looking, enough, strict=True))


async def test_readers_find_whole_tables_that_only_grow(
    blog: Blog, looking: list[Looking], projector: Projector, building: Building, read_side: ReadSide
) -> None:
    author = await blog.user()
    await blog.like(await blog.post(author), author)
    await projector.fold()
    ended = looking[0].ended
    async with asyncio.TaskGroup() as group:
        group.create_task(rebuild_repeatedly(building, looking, ended))
        group.create_task(fold(projector, ended))
        for work in (*(looker.go_on() for looker in looking), write(blog, ended), write(blog, ended)):
            group.create_task(work)
    assert all(figure > 1 for looker in looking for figure in looker.figures[: len(looker.statements)])
    await projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_whatever_is_written_during_a_rebuild_is_folded_once(
    blog: Blog, projector: Projector, building: Building, read_side: ReadSide, connect: Connect
) -> None:
    """Some of it was open before the rebuild, some began within it, some of it outlasts the rebuild."""
    early, later, latest, holder = [await connect() for _ in range(4)]
    fans = await blog.users(6)
    post = await blog.post(fans[0])
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    open_since_before, open_beyond, begun_within = early.transaction(), later.transaction(), latest.transaction()
    for connection, transaction, fan in ((early, open_since_before, fans[1]), (later, open_beyond, fans[2])):
        await transaction.start()
        await like_at(connection, moment, post=post, user=fan)
    async with held_up(holder, table="subscriptions") as hold, begun(building) as running:
        await until_filling_waits(blog.sql, running=running)
        await open_since_before.commit()
        await begun_within.start()
        await like_at(latest, moment, post=post, user=fans[3])
        await blog.like(post, fans[4])
        await projector.fold()
        assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 2
        await hold.release()
        await running
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 2
    await begun_within.commit()
    await projector.fold()
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 3
    await open_beyond.commit()
    await read_side.folds(1)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 4
    await read_side.is_exact()
