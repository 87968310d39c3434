"""`inkfold projections pause` and `resume`: one projection stands still, and then goes on."""

import pytest

from projections.projector import Projector
from tests.projections.cli.conftest import Inkfold
from tests.support.blog import Blog

_STATUS = "SELECT status FROM checkpoint WHERE projection = 'ranking'"


async def test_a_paused_projection_stands_still_until_it_is_resumed(
    people: Blog, inkfold: Inkfold, projector: Projector
) -> None:
    paused = await inkfold("pause", "ranking")
    assert (paused.code, paused.err) == (0, "")
    assert paused.out.startswith("ranking stands still.")
    assert paused.out.endswith("To go on: inkfold projections resume ranking\n")
    assert await people.sql.fetchval(_STATUS) == "paused"
    await people.post(await people.user())
    await projector.fold()
    assert await people.sql.fetchval("SELECT count(*) FROM read_post_rank") == 2
    assert "ranking is paused. Next: inkfold projections resume ranking\n" in (await inkfold("status")).out

    resumed = await inkfold("resume", "ranking")

    assert (resumed.code, resumed.out, resumed.err) == (0, "ranking goes on: a worker folds what it has missed.\n", "")
    await projector.fold()
    assert await people.sql.fetchval("SELECT count(*) FROM read_post_rank") == 3


async def test_resuming_ends_the_rest_of_one_that_fails(people: Blog, inkfold: Inkfold) -> None:
    await people.sql.execute(
        "UPDATE checkpoint SET status = 'failing', failures = 9, error = 'no room', retry_at = now() + interval '1 h' "
        "WHERE projection = 'ranking'"
    )
    assert (await inkfold("resume", "ranking", "--json")).json == {"projection": "ranking", "state": "running"}
    assert await people.sql.fetchval("SELECT retry_at IS NULL AND failures = 0 FROM checkpoint WHERE failures = 0")
    assert (await inkfold("pause", "ranking", "--json")).json == {"projection": "ranking", "state": "paused"}


@pytest.mark.parametrize("command", ["pause", "resume"])
async def test_one_that_is_not_built_is_told(people: Blog, inkfold: Inkfold, command: str) -> None:
    async with people.sql.transaction():
        kept = await people.sql.fetch("DELETE FROM checkpoint WHERE projection = 'ranking' RETURNING *")
    try:
        said = await inkfold(command, "ranking")
    finally:
        await people.sql.copy_records_to_table("checkpoint", records=[tuple(row) for row in kept])
    assert (said.code, said.out) == (1, "")
    assert said.err == "ranking is not built yet. A worker builds it: inkfold worker\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
async def test_one_that_does_not_exist_is_a_usage_error(inkfold: Inkfold, command: str) -> None:
    said = await inkfold(command, "rank", columns=200)
    assert (said.code, said.out) == (2, "")
    assert "There is no projection 'rank'. There are: posts, " in said.err
