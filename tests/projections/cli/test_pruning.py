"""`inkfold projections prune`: drops what is old and folded, and nothing else."""

from tests.projections.cli.conftest import Inkfold
from tests.support.blog import Blog


async def test_events_within_the_retention_stay(people: Blog, inkfold: Inkfold) -> None:
    events = await people.sql.fetchval("SELECT count(*) FROM event")
    await people.sql.execute("UPDATE event SET at = now() - interval '31 days' WHERE type = 'UserRegistered'")
    said = await inkfold("prune")
    assert (said.code, said.err) == (0, "")
    assert said.out == "Pruned 3 events older than 30 days.\n"
    assert await people.sql.fetchval("SELECT count(*) FROM event") == events - 3


async def test_the_age_can_be_given(people: Blog, inkfold: Inkfold) -> None:
    events = await people.sql.fetchval("SELECT count(*) FROM event")
    said = await inkfold("prune", "--older-than", "0", "--json")
    assert said.json == {"pruned": events, "older_than_days": 0, "held_by": []}
    assert await people.sql.fetchval("SELECT count(*) FROM event") == 0
    assert (await inkfold("verify", "posts")).code == 0


async def test_what_a_projection_has_not_folded_stays_and_it_is_named(people: Blog, inkfold: Inkfold) -> None:
    await inkfold("prune", "--older-than", "0")
    await inkfold("pause", "ranking")
    await people.user("late")
    said = await inkfold("prune", "--older-than", "0")
    assert said.out == (
        "Pruned 0 events older than 0 days.\n"
        "ranking stands still, and the events that it has not folded are kept: inkfold projections status\n"
    )
    assert (await inkfold("prune", "--older-than", "0", "--json")).json["held_by"] == ["ranking"]


async def test_an_age_that_is_none_is_a_usage_error(inkfold: Inkfold) -> None:
    for age in ("-1", "nan", "inf", "soon"):
        said = await inkfold("prune", "--older-than", age)
        assert (said.code, said.out) == (2, "")
