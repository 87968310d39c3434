"""The promise of the engine, tried: whatever writers do meanwhile, read tables equal their definitions at each step."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random, SystemRandom

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection, system_identifier
from projections.engine.rebuild import RebuildRunningError, rebuild
from projections.engine.step import step
from projections.engine.step_events import prepare_session
from projections.registry import PROJECTIONS
from tests.projections.conftest import WRITERS, Connect
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, differences
from tests.support.random_blog import LingeringStore, Population, Someone

TURNS = 40
LIMITS = (1, 2, 3, 7, 30, 1_000)


@dataclass
class Folding:
    """Folds at random in every way there is, and compares with the truth whenever a step is a whole one."""

    random: Random
    building: Building
    steps: int = 0
    compared: int = 0
    rebuilt: int = 0
    ended: bool = False
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def go_on(self, connection: Connection) -> None:
        cluster = await system_identifier(connection)
        while not self.ended:
            choice = self.random.random()
            if choice < 0.4:
                assert await differences(self.building) == []
                self.compared += 1
            elif choice < 0.45:
                chosen = self.random.sample(PROJECTIONS, 2)
                with suppress(RebuildRunningError):
                    await rebuild(self.building, chosen)
                    self.rebuilt += 1
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


async def write(writers: list[Someone], folding: Folding) -> None:
    async def act(writer: Someone) -> None:
        for _ in range(TURNS):
            await writer.act()

    try:
        await asyncio.gather(*map(act, writers))
    finally:
        folding.ended = True


async def test_read_tables_equal_their_definitions_at_every_whole_step_under_concurrent_writers(
    blog: Blog, lingering: LingeringStore, read_side: ReadSide, connect: Connect, building: Building
) -> None:
    seed = SystemRandom().getrandbits(32)
    try:
        folding = Folding(Random(seed), building)
        await run(seed, folding, blog=blog, store=lingering, folders=[await connect(), await connect()])
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def run(seed: int, folding: Folding, *, blog: Blog, store: LingeringStore, folders: list[Connection]) -> None:
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
