"""`inkfold projections parked …`: looks at events that were set aside, folds them later, or drops them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from projections.engine.checkpoint import Connection
from projections.engine.step import step
from projections.engine.step_result import OnFailure
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.projections.cli.conftest import Inkfold
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide

_OBSTACLE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room for [likes]'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE OF like_count ON read_post FOR EACH ROW WHEN (NEW.title = 'Bad')
    EXECUTE FUNCTION refuse();
"""


@dataclass(frozen=True)
class Trouble:
    """A blog in which two likes could not be folded into posts, and whose folds fail at such as long as it lasts."""

    sql: Connection
    positions: list[int]

    async def end(self) -> None:
        await self.sql.execute("DROP FUNCTION IF EXISTS refuse CASCADE")


@pytest.fixture
async def trouble(blog: Blog, stepping: Connection, cluster: int, projector: Projector) -> AsyncIterator[Trouble]:
    sql = blog.sql
    ada, bob = await blog.users(2)
    bad = await blog.post(ada, title="Bad")
    good = await blog.post(ada, title="Good")
    await projector.fold()
    await sql.execute(_OBSTACLE)
    for user in (ada, bob):
        await blog.like(bad, user)
        await blog.like(good, user)
    parking = OnFailure(isolate=True, park=True, patience=0)
    await step(stepping, PROJECTIONS, system_identifier=cluster, limit=100, on_failure=parking)
    rows = await sql.fetch("SELECT position FROM parked_event WHERE projection = 'posts' ORDER BY position")
    trouble = Trouble(sql, [row["position"] for row in rows])
    assert len(trouble.positions) == 2
    yield trouble
    await trouble.end()


async def likes(sql: Connection) -> list[tuple[str, int]]:
    return [tuple(row) for row in await sql.fetch("SELECT title, like_count FROM read_post ORDER BY title")]


async def test_nothing_parked_is_said_in_words(inkfold: Inkfold) -> None:
    assert (await inkfold("parked", "list")).out == "No event is parked.\n"
    assert (await inkfold("parked", "list", "--json")).json == {"parked": []}
    assert (await inkfold("parked", "replay", "posts")).out == "No event of posts is parked.\n"
    dropped = await inkfold("parked", "drop", "posts")
    assert (dropped.code, dropped.err) == (1, "No event of posts is parked.\n")


async def test_the_list_fits_and_says_why(trouble: Trouble, inkfold: Inkfold) -> None:
    said = await inkfold("parked", "list")
    assert (said.code, said.err) == (0, "")
    first, second = trouble.positions
    rows = [line.split() for line in said.out.splitlines() if line.startswith(" posts ")]
    assert [row[:3] for row in rows] == [["posts", str(first), "PostLiked"], ["posts", str(second), "PostLiked"]]
    assert "RaiseError: no room for [likes]" in said.out
    assert max(map(len, said.out.split("\nNext:")[0].splitlines())) <= 80
    assert (await inkfold("parked", "list", "profiles")).out == "No event is parked.\n"
    listed = (await inkfold("parked", "list", "posts", "--json")).json["parked"]
    assert [event["position"] for event in listed] == trouble.positions


async def test_one_can_be_shown_whole(trouble: Trouble, inkfold: Inkfold) -> None:
    position = str(trouble.positions[0])
    said = await inkfold("parked", "show", "posts", position)
    assert (said.code, said.err) == (0, "")
    shown = {line[:11].strip(): line[12:] for line in said.out.splitlines()}
    assert (shown["projection"], shown["position"], shown["type"]) == ("posts", position, "PostLiked")
    assert (shown["error"], shown["tries"]) == ("RaiseError: no room for [likes]", "1")
    event = (await inkfold("parked", "show", "posts", position, "--json")).json
    assert event["position"] == trouble.positions[0]
    assert isinstance(event["payload"], dict)
    missing = await inkfold("parked", "show", "posts", "999999")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == (
        "No event of posts is parked at position 999999. See: inkfold projections parked list posts\n"
    )


async def test_those_that_fail_again_stay(trouble: Trouble, inkfold: Inkfold) -> None:
    said = await inkfold("parked", "replay", "posts")
    assert (said.code, said.err) == (1, "")
    first, second = trouble.positions
    assert said.out.splitlines()[:2] == [
        "Folded 0 parked events of posts.",
        (
            f"2 events failed again, and stay parked: {first}, {second}. Why: "
            f"inkfold projections parked show posts {first}"
        ),
    ]
    again = await inkfold("parked", "replay", "posts", str(second), "--json")
    assert again.code == 1
    assert again.json == {
        "projection": "posts",
        "folded": 0,
        "failed": [second],
        "still_parked": 2,
        "verified": False,
        "mended": None,
        "unverified": None,
    }
    assert await trouble.sql.fetchval("SELECT array_agg(tries ORDER BY position) FROM parked_event") == [2, 3]


async def test_they_are_folded_once_and_the_projection_is_verified(
    trouble: Trouble, inkfold: Inkfold, read_side: ReadSide
) -> None:
    await trouble.end()
    assert await likes(trouble.sql) == [("Bad", 0), ("Good", 2)]
    one = await inkfold("parked", "replay", "posts", str(trouble.positions[0]))
    assert one.code == 0
    assert await likes(trouble.sql) == [("Bad", 1), ("Good", 2)]
    assert one.out.splitlines() == [
        "Folded 1 parked event of posts.",
        (
            "Rows that lack the 1 event still parked differ from the definition; to derive them anew, which settles "
            "the events: inkfold projections verify posts --repair"
        ),
    ]
    rest = await inkfold("parked", "replay", "posts")
    assert (rest.code, rest.err) == (0, "")
    assert rest.out.splitlines() == ["Folded 1 parked event of posts.", "Verified posts: nothing differs."]
    assert await likes(trouble.sql) == [("Bad", 2), ("Good", 2)]
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def test_what_came_later_without_them_is_mended(trouble: Trouble, inkfold: Inkfold, read_side: ReadSide) -> None:
    await trouble.end()
    await trouble.sql.execute("UPDATE read_post SET like_count = 5 WHERE title = 'Good'")
    said = await inkfold("parked", "replay", "posts", "--json")
    assert said.code == 0
    assert said.json == {
        "projection": "posts",
        "folded": 2,
        "failed": [],
        "still_parked": 0,
        "verified": True,
        "mended": {"rows": 1, "settled": 0, "rebuilt": False},
        "unverified": None,
    }
    await read_side.is_exact()


async def test_a_paused_projection_takes_none(trouble: Trouble, inkfold: Inkfold) -> None:
    await trouble.end()
    await inkfold("pause", "posts")
    said = await inkfold("parked", "replay", "posts")
    assert (said.code, said.out) == (1, "")
    assert said.err == ("posts is paused. First: inkfold projections resume posts\n")


async def test_they_are_dropped_after_a_confirmation(trouble: Trouble, inkfold: Inkfold) -> None:
    refused = await inkfold("parked", "drop", "posts", answer="n\n")
    assert refused.code == 1
    assert "Forget 2 parked events of posts without folding?" in refused.err
    assert await trouble.sql.fetchval("SELECT count(*) FROM parked_event") == 2
    one = await inkfold("parked", "drop", "posts", str(trouble.positions[0]), answer="y\n")
    assert one.code == 0
    assert "Dropped 1 event. `verify` now reports the rows that lack what happened; to settle that:" in one.out
    assert (await inkfold("parked", "drop", "posts", "--yes", "--json")).json == {"projection": "posts", "dropped": 1}
    missing = await inkfold("parked", "drop", "posts", "7", "--yes")
    assert (missing.code, missing.err) == (1, "No event of posts is parked at position 7.\n")


async def test_verify_with_repair_settles_them(trouble: Trouble, inkfold: Inkfold, read_side: ReadSide) -> None:
    await trouble.end()
    found = await inkfold("verify", "posts")
    assert found.code == 1
    assert "  expected  like_count: 2\n  found     like_count: 0\n" in found.out
    said = await inkfold("verify", "posts", "--repair")
    assert (said.code, said.err) == (0, "")
    assert "Mended 1 row, which settles 2 parked events.\n" in said.out
    assert (await inkfold("parked", "list")).out == "No event is parked.\n"
    await read_side.is_exact()
