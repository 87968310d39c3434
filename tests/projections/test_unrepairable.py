"""What can't be mended is said not to be, and left as it is."""

import pytest

from app.commands.posts import WrittenPost
from projections.engine import comparison
from projections.engine.checkpoint import Connect, Connection, pause
from projections.engine.rebuild import rebuild
from projections.engine.repair import TooManyDifferencesError, UnrepairableError, repair
from projections.engine.verify import Verified, verify
from projections.projector import Projector
from projections.ranking import RANKING
from tests.support.blog import Blog
from tests.support.projection_spec import dump


@pytest.fixture
async def post(blog: Blog, projector: Projector) -> WrittenPost:
    """A post with a like, among others."""
    users = await blog.users(9)
    posts = [await blog.post(user) for user in users]
    await blog.like(posts[0], users[0])
    await projector.fold()
    return posts[0]


@pytest.fixture
async def found(sql: Connection, building: Connect, post: WrittenPost) -> Verified:  # noqa: ARG001 - what is spoilt
    """All posts are ranked wrongly, and that was found."""
    await sql.execute("UPDATE read_post_rank SET like_count = 1 - like_count")
    (verified,) = await verify(building, [RANKING])
    return verified


async def test_too_much_that_differs(
    sql: Connection, building: Connect, found: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_FETCHED", 8)
    (verified,) = await verify(building, [RANKING])
    assert 0 < len(verified.differences) < len(found.differences)
    before = await dump(sql, with_row_versions=True)
    with pytest.raises(TooManyDifferencesError, match="inkfold projections rebuild ranking"):
        await repair(building, RANKING, verified)
    assert await dump(sql, with_row_versions=True) == before


async def test_what_was_built_anew_since(building: Connect, found: Verified) -> None:
    await rebuild(building, [RANKING])
    with pytest.raises(UnrepairableError, match=r"built anew meanwhile\. Verify again\."):
        await repair(building, RANKING, found)


async def test_what_was_paused_since(sql: Connection, building: Connect, found: Verified) -> None:
    await pause(sql, "ranking")
    before = await dump(sql, with_row_versions=True)
    with pytest.raises(UnrepairableError, match="inkfold projections resume ranking"):
        await repair(building, RANKING, found)
    assert await dump(sql, with_row_versions=True) == before


async def test_what_fails(blog: Blog, building: Connect, post: WrittenPost, found: Verified) -> None:
    await blog.delete(post)
    await blog.sql.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no deletion'; END $$;"
        "CREATE TRIGGER refuse BEFORE DELETE ON read_post_rank FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        with pytest.raises(UnrepairableError, match="ranking can't be mended while its fold fails: no deletion"):
            await repair(building, RANKING, found)
    finally:
        await blog.sql.execute("DROP FUNCTION refuse CASCADE")
