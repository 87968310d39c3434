"""The engine broken on purpose in five ways: verify catches each, and so does an ordinary claim of a test."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from projections.engine import checkpoint, short_step, step_events
from projections.engine.checkpoint import MOVE_CHECKPOINTS, Connect
from projections.engine.one_snapshot import UnverifiableError
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect as Further
from tests.support.blog import Blog, like_at
from tests.support.projection_spec import ReadSide, Row, differences

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RANKS = "read_post_rank"
COUNTING = "WHEN 'PostLiked' THEN 1 ELSE -1"
NEW_EVENTS = "SELECT * FROM new_event"

_BY_POSITION = """
WITH new_event AS (
    SELECT *
    FROM event
    WHERE tx < $3::text::xid8
      AND position > coalesce(
          (SELECT max(position) FROM event WHERE tx < $1::text::xid8 AND tx <> ALL ($2::text[]::xid8[])), 0
      )
),
"""

Mutation = Callable[[pytest.MonkeyPatch, Projector], None]


def _collecting(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    mutated = step_events._COLLECT.replace(old, new)
    assert mutated != step_events._COLLECT
    monkeypatch.setattr(step_events, "_COLLECT", mutated)


def nothing(_monkeypatch: pytest.MonkeyPatch, _projector: Projector) -> None:
    pass


def drops_an_event(monkeypatch: pytest.MonkeyPatch, _projector: Projector) -> None:
    last = "(SELECT max(position) FROM new_event)"
    _collecting(monkeypatch, NEW_EVENTS, f"{NEW_EVENTS} WHERE position < {last}")


def doubles_an_event(monkeypatch: pytest.MonkeyPatch, _projector: Projector) -> None:
    _collecting(monkeypatch, NEW_EVENTS, f"{NEW_EVENTS} UNION ALL ({NEW_EVENTS} LIMIT 1)")


def goes_by_position(monkeypatch: pytest.MonkeyPatch, _projector: Projector) -> None:
    difference, rest = step_events._COLLECT.split("collected AS", 1)
    assert "UNION ALL" in difference
    _collecting(monkeypatch, difference, _BY_POSITION)
    assert step_events._COLLECT.endswith(rest)


def forgets_the_checkpoint(monkeypatch: pytest.MonkeyPatch, _projector: Projector) -> None:
    where = "WHERE projection = ANY ($1::text[])"
    assert where in MOVE_CHECKPOINTS
    for module in (checkpoint, short_step):
        monkeypatch.setattr(module, "MOVE_CHECKPOINTS", MOVE_CHECKPOINTS.replace(where, f"{where} AND false"))


def counts_with_the_wrong_sign(monkeypatch: pytest.MonkeyPatch, projector: Projector) -> None:
    wrong = [replace(fold, sql=fold.sql.replace(COUNTING, "WHEN 'PostLiked' THEN -1 ELSE 1")) for fold in RANKING.folds]
    assert tuple(wrong) != RANKING.folds
    broken = replace(RANKING, folds=tuple(wrong))
    monkeypatch.setattr(projector.runner, "projections", [broken if p is RANKING else p for p in PROJECTIONS])


MUTATIONS = [drops_an_event, doubles_an_event, goes_by_position, forgets_the_checkpoint, counts_with_the_wrong_sign]


@pytest.fixture
async def shown(
    blog: Blog, projector: Projector, connect: Further, monkeypatch: pytest.MonkeyPatch, mutation: Mutation
) -> Row:
    """What is to be shown of a post, that has five likes when the mutation sets in, and three more at the end.

    Of these, the one that was begun first commits after the second has been folded.
    """
    fans, held = await blog.users(8), await connect()
    post = await blog.post(fans[0])
    for fan in fans[:5]:
        await blog.like(post, fan)
    await projector.fold()
    mutation(monkeypatch, projector)
    slow = held.transaction()
    await slow.start()
    await like_at(held, NOON, post=post, user=fans[5])
    await blog.like(post, fans[6])
    await projector.fold()
    await slow.commit()
    await blog.like(post, fans[7])
    return {"post_id": post.id, "author_id": post.author_id, "like_count": 8}


@pytest.mark.parametrize("mutation", [nothing])
async def test_an_unbroken_engine_shows_what_it_should(read_side: ReadSide, shown: Row) -> None:
    await read_side.shows(RANKS, shown)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_mutation_is_caught_by_an_ordinary_claim(read_side: ReadSide, shown: Row) -> None:
    with pytest.raises(AssertionError, match=RANKS):
        await read_side.shows(RANKS, shown)


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_mutation_is_caught_by_verify(
    projector: Projector, building: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    await projector.fold()
    monkeypatch.undo()
    assert RANKS in {difference.table for difference in await differences(building)}


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("mutation", [each for each in MUTATIONS if each is not forgets_the_checkpoint])
async def test_a_mutation_is_caught_by_a_verify_that_is_broken_alike(projector: Projector, building: Connect) -> None:
    await projector.fold()
    assert RANKS in {difference.table for difference in await differences(building, projector.runner.projections)}


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("mutation", [forgets_the_checkpoint])
async def test_a_verify_that_forgets_the_checkpoint_notices(projector: Projector, building: Connect) -> None:
    await projector.fold()
    with pytest.raises(UnverifiableError, match="does not catch up"):
        await differences(building, [RANKING])
