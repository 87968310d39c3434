"""What a query waits for before it answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import asyncpg
import pytest
from redis.asyncio import Redis

from app.checkpoints import own_cluster, read_lag
from app.command_store import CommandStore
from app.db import Pool, open_query_pool
from app.errors import InvalidInput, ProjectionLagging
from app.freshness import Freshness
from app.queries.reader import Openings, Reader
from app.settings import Settings
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.blog import Blog


@dataclass
class Meanwhile:
    """A query that counts how often it was fetched, and lets something happen at the first time."""

    reads: ClassVar[tuple[str, ...]] = ("posts",)

    happening: Callable[[], Awaitable[None]] | None = None
    fetched: int = field(default=0, init=False)

    async def fetch(self, reader: Reader) -> int:
        await reader.fetch("SELECT FROM checkpoint")
        self.fetched += 1
        if self.happening and self.fetched == 1:
            await self.happening()
        return self.fetched


@pytest.fixture
def freshness(redis: Redis, reader: Reader) -> Freshness:
    return Freshness(redis, reader, wait_seconds=0.05)


@asynccontextmanager
async def of_another_cluster(sql: Connection, projection: str) -> AsyncIterator[None]:
    """Let a projection look as if it came with a dump of another cluster."""
    number = await sql.fetchval("SELECT system_identifier FROM checkpoint WHERE projection = $1", projection)
    change = "UPDATE checkpoint SET system_identifier = $2 WHERE projection = $1"
    await sql.execute(change, projection, number - 1)
    try:
        yield
    finally:
        await sql.execute(change, projection, number)


async def test_a_checkpoint_of_another_cluster_counts_as_never_built(freshness: Freshness, sql: Connection) -> None:
    async with of_another_cluster(sql, "posts"):
        token = await sql.fetchval("SELECT pg_snapshot_xmin(snapshot)::text::bigint - 1 FROM checkpoint LIMIT 1")
        with pytest.raises(ProjectionLagging):
            await freshness.answer(Meanwhile(), tokens=[token])
        with pytest.raises(ProjectionLagging):
            await freshness.confirm(("posts",))
        assert await freshness.reached("posts") is None
        assert await freshness.reached("ranking") is not None
    assert (await freshness.answer(Meanwhile(), tokens=[token])).value == 1


async def test_a_projection_that_lacks_nothing_is_not_waited_for(
    freshness: Freshness, reader: Reader, projector: Projector, commands: CommandStore, sql: Connection
) -> None:
    async def met() -> bool:
        return demand.met((await read_lag(reader, cluster=await own_cluster(reader))).snapshots)

    blog = Blog(commands, sql)
    before = await sql.fetchval("SELECT snapshot::text FROM checkpoint WHERE projection = 'ranking'")
    await blog.post(await blog.user())
    await projector.fold()
    move = "UPDATE checkpoint SET snapshot = $1::text::pg_snapshot WHERE projection = 'ranking'"
    await sql.execute(move, before)
    demand = await freshness.all_committed(("posts", "ranking"))

    assert not await met()
    await sql.execute(move, await sql.fetchval("SELECT pg_current_snapshot()::text"))
    assert await met()


async def test_a_transaction_without_events_is_not_waited_for(
    redis: Redis, reader: Reader, projector: Projector, commands: CommandStore, sql: Connection
) -> None:
    freshness = Freshness(redis, reader, wait_seconds=60)
    blog = Blog(commands, sql)
    await blog.post(await blog.user())
    begun = await sql.fetchval("SELECT pg_current_snapshot()::text")
    await sql.execute("SELECT pg_current_xact_id()")
    demand = await freshness.all_committed(("posts",))
    await projector.fold()
    # As if the step had begun before that transaction, and committed after the demand was made.
    await sql.execute("UPDATE checkpoint SET snapshot = $1::text::pg_snapshot", begun)

    assert not demand.met((await read_lag(reader, cluster=await own_cluster(reader))).snapshots)
    await freshness._reach(demand)


async def test_a_token_of_a_transaction_without_events_is_not_waited_for(
    redis: Redis, reader: Reader, projector: Projector, commands: CommandStore, sql: Connection
) -> None:
    blog = Blog(commands, sql)
    await blog.post(await blog.user())
    await projector.fold()
    token = int(await sql.fetchval("SELECT pg_current_xact_id()::text"))
    freshness = Freshness(redis, reader, wait_seconds=60)
    assert (await freshness.answer(Meanwhile(), tokens=[token])).value == 1
    # While something else is to be folded, it is.
    await blog.post(await blog.user())
    token = int(await sql.fetchval("SELECT pg_current_xact_id()::text"))
    with pytest.raises(ProjectionLagging):
        await Freshness(redis, reader, wait_seconds=0.05).answer(Meanwhile(), tokens=[token])


async def test_a_token_of_a_transaction_that_has_not_ended_is_none(
    freshness: Freshness, config: Settings, sql: Connection
) -> None:
    open_one = await asyncpg.connect(config.database_url)
    async with open_one.transaction():
        token = int(await open_one.fetchval("SELECT pg_current_xact_id()::text"))
        later = int(await sql.fetchval("SELECT pg_current_xact_id()::text"))
        assert token < later
        for made_up in (token, later + 1, 2**63 - 1):
            with pytest.raises(InvalidInput):
                await freshness.answer(Meanwhile(), tokens=[made_up])
    await open_one.close()


async def test_those_who_wait_at_the_same_time_look_together(redis: Redis, reader_pool: Pool) -> None:
    class Counting(Reader):
        looks = 0

        async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
            self.looks += 1
            return await super().fetch(sql, *values)

    reader = Counting(reader_pool, timeout_seconds=5)
    freshness = Freshness(redis, reader, wait_seconds=60)
    await asyncio.gather(*(freshness.confirm(("posts",)) for _ in range(100)))
    assert reader.looks == 1


async def test_a_loss_that_another_query_has_noticed_first_is_not_overlooked(
    config: Settings, redis: Redis, sql: Connection
) -> None:
    async def lose() -> None:
        await sql.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'inkfold-queries'"
        )
        await watching.answer(Meanwhile())

    # Of two connections, each would be noticed when it is opened anew.
    single, openings = config.model_copy(update={"query_pool_size": 1}), Openings()
    async with await open_query_pool(single, init=openings.note) as pool:
        watching = Freshness(redis, Reader(pool, timeout_seconds=5, openings=openings), wait_seconds=5)
        assert (await watching.answer(Meanwhile(happening=lose))).value == 2


async def test_whoever_takes_what_is_stale_waits_once_though_a_connection_was_opened_meanwhile(
    redis: Redis, reader_pool: Pool, commands: CommandStore, sql: Connection
) -> None:
    openings = Openings()
    reader = Reader(reader_pool, timeout_seconds=5, openings=openings)
    blog = Blog(commands, sql)
    await blog.post(await blog.user())
    token = await sql.fetchval("SELECT max(tx::text::bigint) FROM event")
    query = Meanwhile(happening=lambda: openings.note(None))

    fresh = await Freshness(redis, reader, wait_seconds=0.05).answer(query, tokens=[token], accept_stale=True)

    assert (fresh.value, fresh.stale) == (1, True)
