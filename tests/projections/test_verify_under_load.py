"""Verify and repair while people write and steps go on: no false alarm, and no false calm."""

import asyncio
from dataclasses import dataclass, field
from random import Random, SystemRandom

from projections.engine.checkpoint import Connect
from projections.engine.projection import Projection
from projections.engine.repair import repair
from projections.engine.runner import Runner
from projections.engine.verify import verify
from projections.registry import PROJECTIONS
from tests.projections.conftest import WRITERS, OpenRunner
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.random_blog import LingeringStore, Population, Someone
from tests.support.spoiling import Row, Spoiler

TURNS = 25
#: Tables in which nothing that people do touches the rows of those who do nothing.
QUIET = ("read_post", "read_post_rank", "read_post_like", "read_profile", "read_subscription")
TABLES = [(p, table.name) for p in PROJECTIONS for table in p.tables if table.name in QUIET]


@dataclass
class Load:
    """Writers and a runner, until the writers have had their turns."""

    writers: list[Someone]
    runner: Runner
    verified: int = 0
    ended: bool = False
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def write(self) -> None:
        async def act(writer: Someone) -> None:
            for _ in range(TURNS):
                await writer.act()

        try:
            await asyncio.gather(*map(act, self.writers))
        finally:
            self.ended = True

    async def fold(self) -> None:
        while not self.ended:
            await self.runner.catch_up()

    async def linger(self) -> None:
        """Wait until another verification is over."""
        enough = self.verified + 1
        async with self.moved:
            await self.moved.wait_for(lambda: self.ended or self.verified >= enough)

    async def goes_on(self) -> None:
        """Say that a verification is over."""
        self.verified += 1
        async with self.moved:
            self.moved.notify_all()


@dataclass
class Inspector:
    """Spoils rows of those who do nothing, and holds that these are found, exactly, and mended."""

    random: Random
    building: Connect
    spoilers: dict[str, Spoiler]
    quiet: dict[str, list[Row]]
    load: Load

    async def inspect(self) -> None:
        while not self.load.ended or self.load.verified < len(TABLES):
            projection, table = self.random.choice(TABLES)
            planted = await self.spoil(table)
            verified = (await verify(self.building, [projection]))[0]
            assert {str(difference.key) for difference in verified.differences} == planted
            assert await repair(self.building, projection, verified) == len(planted)
            await self.all_is_well(projection)
            await self.load.goes_on()

    async def spoil(self, table: str) -> set[str]:
        """Change, remove or add a row or two; return their keys."""
        spoiler, rows = self.spoilers[table], self.random.sample(self.quiet[table], 2)
        ways = self.random.choices(("change", "remove", "add"), k=2)
        keys = set()
        for row, way in zip(rows, ways, strict=True):
            spoilt = row
            if way == "change":
                await spoiler.change(row, self.random.choice(spoiler.values))
            elif way == "remove":
                await spoiler.remove(row)
            else:
                spoilt = await spoiler.add_beside(row)
            keys.add(str(spoiler.key(spoilt)))
        return keys

    async def all_is_well(self, projection: Projection) -> None:
        others = self.random.sample(PROJECTIONS, 2)
        for verified in await verify(self.building, [projection, *others]):
            assert verified.differences == []


async def quiet_people(blog: Blog) -> None:
    """Let there be some who do nothing any more."""
    users = await blog.users(4)
    for user in users:
        post = await blog.post(user)
        await blog.like(post, users[0])
        await blog.subscribe(user, users[users.index(user) - 1])
    while await blog.announce():
        pass


async def test_under_load_what_is_spoilt_is_found_and_mended_and_nothing_else(
    blog: Blog, lingering: LingeringStore, read_side: ReadSide, building: Connect, open_runner: OpenRunner
) -> None:
    seed = SystemRandom().getrandbits(32)
    try:
        await run(seed, blog=blog, store=lingering, building=building, runner=open_runner(limit=9))
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    await read_side.projector.fold()
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def run(seed: int, *, blog: Blog, store: LingeringStore, building: Connect, runner: Runner) -> None:
    await quiet_people(blog)
    await runner.catch_up()
    spoilers = {table: await Spoiler.of(blog.sql, table) for table in QUIET}
    quiet = {table: await spoiler.rows() for table, spoiler in spoilers.items()}
    users = await blog.users(8)
    posts = [await blog.post(user) for user in users[:4]]
    population = Population([user.id for user in users], [(post.id, post.author_id) for post in posts])
    writers = [Someone(f"writer{number}", store, population, Random(seed + number)) for number in range(WRITERS)]
    load = Load(writers, runner)
    store.random, store.linger = Random(seed - 1), load.linger
    inspector = Inspector(Random(seed - 2), building, spoilers, quiet, load)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.write())
        group.create_task(load.fold())
        group.create_task(inspector.inspect())
    assert sum(writer.done for writer in writers) > WRITERS * TURNS / 3
