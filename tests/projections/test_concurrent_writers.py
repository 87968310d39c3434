"""The promise of the engine, tried: whatever writers do meanwhile, read tables equal their definitions at each step."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random, SystemRandom

import pytest

from app.db import open_commands
from app.settings import Settings
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.rebuild import rebuild
from projections.engine.step import prepare_session, step
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, differences
from tests.support.random_blog import LingeringStore, Population, Someone

WRITERS = 14
TURNS = 40
LIMITS = (1, 2, 3, 7, 30, 1_000)


@dataclass
class Folding:
    """Folds at random in every way there is, and compares with the truth whenever a step is a whole one."""

    random: Random
    steps: int = 0
    compared: int = 0
    ended: bool = False
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def go_on(self, connection: Connection) -> None:
        cluster = await system_identifier(connection)
        while not self.ended:
            choice = self.random.random()
            if choice < 0.4:
                assert await differences(connection) == []
                self.compared += 1
            elif choice < 0.45:
                chosen = self.random.sample(PROJECTIONS, 2)
                await rebuild(connection, chosen, system_identifier=cluster)
            else:
                limit = self.random.choice(LIMITS)
                result = await step(connection, PROJECTIONS, system_identifier=cluster, limit=limit)
                assert result.failed == {}
            self.steps += 1
            async with self.moved:
                self.moved.notify_all()

    async def linger(self) -> None:
        """Wait until some more steps have been made."""
        enough = self.steps + self.random.randint(1, 6)
        async with self.moved:
            await self.moved.wait_for(lambda: self.ended or self.steps >= enough)


@pytest.fixture
async def lingering(projector: Projector, config: Settings) -> AsyncIterator[LingeringStore]:
    """A store with a connection for each writer."""
    models = await open_commands(config.model_copy(update={"command_pool_size": WRITERS}))
    yield LingeringStore(
        models,
        cache=projector.cache,
        doorbell=projector.store._doorbell,
        pool_size=WRITERS,
        pool_timeout_seconds=60,
    )
    await models.close_connections()


async def write(writers: list[Someone], folding: Folding) -> None:
    async def act(writer: Someone) -> None:
        for _ in range(TURNS):
            await writer.act()

    try:
        await asyncio.gather(*map(act, writers))
    finally:
        folding.ended = True


async def test_read_tables_equal_their_definitions_at_every_whole_step_under_concurrent_writers(
    blog: Blog, lingering: LingeringStore, read_side: ReadSide, connect: Connect
) -> None:
    seed = SystemRandom().getrandbits(32)
    try:
        await run(seed, blog=blog, store=lingering, folders=[await connect(), await connect()])
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def run(seed: int, *, blog: Blog, store: LingeringStore, folders: list[Connection]) -> None:
    folding = Folding(Random(seed))
    store.random = Random(seed + 1)
    store.linger = folding.linger
    users = await blog.users(12)
    posts = [await blog.post(user) for user in users[:4]]
    population = Population([user.id for user in users], [(post.id, post.author_id) for post in posts])
    writers = [Someone(f"writer{number}", store, population, Random(seed + 2 + number)) for number in range(WRITERS)]
    for connection in folders:
        await prepare_session(connection)
    async with asyncio.TaskGroup() as group:
        for connection in folders:
            group.create_task(folding.go_on(connection))
        group.create_task(write(writers, folding))
    assert sum(writer.done for writer in writers) > WRITERS * TURNS / 3
    assert folding.compared > 10
