"""What can't be verified is said not to be; what a sample says is true, and not the whole truth."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from projections.engine import comparison, one_snapshot
from projections.engine.checkpoint import Connect, Connection, pause
from projections.engine.locks import lock
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.verify import verify
from projections.posts import POSTS
from projections.projector import Projector
from projections.ranking import RANKING
from tests.projections.conftest import Connect as Further
from tests.support.blog import Blog

_OBSTACLE = "ALTER TABLE read_post_rank ADD CONSTRAINT obstacle CHECK (like_count < 0) NOT VALID"


@pytest.fixture
async def built(sql: Connection) -> AsyncIterator[None]:
    """Whatever becomes of the checkpoints, they are as before when the test ends."""
    kept = [tuple(row) for row in await sql.fetch("SELECT * FROM checkpoint")]
    yield
    await sql.execute("DELETE FROM checkpoint")
    await sql.copy_records_to_table("checkpoint", records=kept)


@pytest.fixture
async def failing(sql: Connection, blog: Blog, projector: Projector) -> AsyncIterator[None]:
    """The ranking's fold fails, and it rests."""
    await sql.execute(_OBSTACLE)
    await blog.post(await blog.user("ada"))
    await projector.fold()
    await sql.execute("UPDATE checkpoint SET retry_at = 'infinity' WHERE projection = 'ranking'")
    yield
    await sql.execute("ALTER TABLE read_post_rank DROP CONSTRAINT obstacle")


@pytest.mark.usefixtures("built")
async def test_what_was_never_built(sql: Connection, building: Connect) -> None:
    await sql.execute("DELETE FROM checkpoint WHERE projection = 'ranking'")
    with pytest.raises(UnverifiableError, match="ranking is not built yet"):
        await verify(building, [RANKING])


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("difference", ["version = 0", "version = 99", "system_identifier = 1"])
async def test_what_another_release_or_cluster_has_built(sql: Connection, building: Connect, difference: str) -> None:
    await sql.execute(f"UPDATE checkpoint SET {difference} WHERE projection = 'ranking'")
    with pytest.raises(UnverifiableError, match="ranking is not built yet"):
        await verify(building, [RANKING])


async def test_what_is_paused(sql: Connection, building: Connect) -> None:
    await pause(sql, "ranking")
    with pytest.raises(UnverifiableError, match=r"ranking is paused.* inkfold projections resume ranking"):
        await verify(building, [RANKING])


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("retry_at", ["infinity", "-infinity"], ids=["resting", "due"])
async def test_what_fails(sql: Connection, building: Connect, retry_at: str) -> None:
    await sql.execute("UPDATE checkpoint SET retry_at = $1::text::timestamptz WHERE projection = 'ranking'", retry_at)
    with pytest.raises(UnverifiableError, match=r"ranking can't be verified while its fold fails: .*obstacle"):
        await verify(building, [RANKING])
    assert await sql.fetchval("SELECT count(*) FROM verification") == 0


@pytest.mark.usefixtures("failing")
async def test_what_fails_and_has_a_backlog(building: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_snapshot, "_EVENTS", 1)
    with pytest.raises(UnverifiableError, match="ranking has a backlog and fails"):
        await verify(building, [RANKING])


async def test_what_someone_else_holds(building: Connect, connect: Further) -> None:
    async def impatient() -> "asyncpg.Connection[asyncpg.Record]":
        connection = await building()
        await connection.execute("SET lock_timeout = '20ms'")
        return connection

    await lock(await connect(), ["ranking"])
    with pytest.raises(UnverifiableError, match="ranking is held by another session"):
        await verify(impatient, [RANKING])


@pytest.fixture
async def spoilt(sql: Connection, blog: Blog, projector: Projector) -> set[str]:
    """Posts whose titles are wrong, among some that are right."""
    ada = await blog.user("ada")
    posts = [await blog.post(ada) for _ in range(30)]
    await projector.fold()
    chosen = [post.id for post in posts[:20]]
    await sql.execute("UPDATE read_post SET title = 'Spoilt' WHERE id = ANY ($1)", chosen)
    return set(map(str, chosen))


async def test_samples_find_it_in_the_long_run_and_never_give_a_false_alarm(
    sql: Connection, building: Connect, spoilt: set[str]
) -> None:
    found: set[str] = set()
    while not found:
        (verified,) = await verify(building, [POSTS], sample=True)
        found |= {difference.key["id"] for difference in verified.differences}
        assert verified.sample
        assert verified.rows < 30
    assert found <= spoilt
    assert await sql.fetchval("SELECT count(*) FROM verification") == 0


async def test_when_too_much_differs_only_some_of_it_is_looked_at(
    building: Connect, spoilt: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_FETCHED", 8)
    (verified,) = await verify(building, [POSTS])
    table = verified.tables[0]
    assert not table.exhausted
    assert 1 <= len(table.differences) <= 5  # of each, two rows were fetched
    assert {difference.key["id"] for difference in table.differences} <= spoilt
