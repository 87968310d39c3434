"""Glances at the checkpoints: shared, never older than the question, and telling of every change of the tables."""

import asyncio

from app.glances import Glance, Glances
from app.queries.reader import Reader
from projections.engine.checkpoint import Connection, touch
from projections.projector import Projector
from tests.support.blog import Blog

READS = ("posts", "post_likes")


async def test_those_who_ask_at_once_are_given_one_glance(reader: Reader) -> None:
    glances = Glances(reader)
    seen = await asyncio.gather(*(glances.look() for _ in range(50)))
    assert len({id(glance) for glance in seen}) == 1


async def test_a_glance_begins_after_it_was_asked_for(reader: Reader, sql: Connection) -> None:
    """One that is under way is not given to whoever comes later."""
    glances = Glances(reader)
    before = await glances.look()
    early = glances.look()
    await asyncio.sleep(0)
    await touch(sql, "posts")
    late = await glances.look()
    assert late.mark(READS) != before.mark(READS)
    await early


async def test_a_mark_changes_with_what_a_step_has_folded_and_only_then(
    reader: Reader, blog: Blog, projector: Projector
) -> None:
    glances = Glances(reader)
    post = await blog.post(await blog.user())
    await projector.fold()

    async def look() -> Glance:
        return await glances.look()

    first = await look()
    assert not first.behind
    await projector.fold()
    assert (await look()).mark(READS) == first.mark(READS)
    await blog.like(post, await blog.user())
    behind = await look()
    assert (behind.mark(READS), behind.behind >= set(READS)) == (first.mark(READS), True)
    await projector.fold()
    last = await look()
    assert (last.mark(READS) != first.mark(READS), last.behind) == (True, frozenset())


async def test_there_is_no_mark_of_what_was_never_built(reader: Reader) -> None:
    assert (await Glances(reader).look()).mark(("posts", "no such projection")) is None


async def test_a_mark_of_another_era_is_another(reader: Reader) -> None:
    glances = Glances(reader)
    before = (await glances.look()).mark(READS)
    reader._losses += 1
    assert (await glances.look()).mark(READS) != before
