"""Events that are written among a rebuild: each of them counts, and once."""

from datetime import UTC, datetime

from projections.engine.checkpoint import Connect as Building
from projections.projector import Projector
from tests.projections.conftest import Connect
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide
from tests.support.rebuilding import Told, begun, until

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

_TABLE = "SELECT 'read_post'::regclass::oid"


async def test_fault_03_what_is_appended_while_a_rebuild_is_under_way_is_in_the_new_tables(
    blog: Blog, read_side: ReadSide, projector: Projector, connect: Connect, building: Building
) -> None:
    ada, bob, slow = await blog.users(3)
    post = await blog.post(ada)
    await projector.fold()
    before = await blog.sql.fetchval(_TABLE)
    held, looking = await connect(), await connect()
    transaction = held.transaction()
    await transaction.start()
    await like_at(held, NOON, post=post, user=slow)
    await looking.execute("BEGIN; SELECT FROM read_post")  # the swap waits for whoever reads
    told = Told()
    async with begun(building, report=told) as rebuild:
        await until(lambda: told.notes, running=rebuild)
        await blog.like(post, ada)
        await projector.fold()
        await blog.like(post, bob)
        await transaction.commit()
        await looking.execute("COMMIT")
        await rebuild
    await projector.fold()
    assert await blog.sql.fetchval(_TABLE) != before
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 3
    await read_side.folds_nothing_again()
    await read_side.is_exact()
