"""`inkfold projections verify`: its answers, its exit codes, and what it mends."""

import pytest

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.projections.cli.conftest import Inkfold
from tests.support.blog import Blog
from tests.support.projection_spec import dump

_GHOSTS = """
INSERT INTO read_profile
SELECT g.id, 'ghost', 'ghost@example.org', true, now(), 0, 0, 0, 0
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 25)) g
"""
_PARKED_LATER = """
INSERT INTO parked_event (projection, tx, position, type, subject_id, actor_id, payload, at, error)
VALUES ('posts', '1000000000', 1, 'PostLiked', gen_random_uuid(), gen_random_uuid(), '{}', now(), 'no room')
"""
_VERIFICATION = "SELECT compared, different, mended FROM verification WHERE projection = $1"


async def test_of_sound_tables_it_says_so(people: Blog, inkfold: Inkfold) -> None:  # noqa: ARG001
    said = await inkfold("verify")
    assert (said.code, said.err) == (0, "")
    *each, total = said.out.splitlines()
    assert [line.split(":")[0] for line in each] == [
        "posts",
        "post_likes",
        "ranking",
        "profiles",
        "subscriptions",
        "notifications",
        "like_statistics",
    ]
    assert each[0].startswith("posts: 3 rows compared in ")
    assert total == "7 projections compared with the definitions, 23 rows: none differs."


async def test_a_changed_a_missing_and_an_extra_row_are_shown_by_key(people: Blog, inkfold: Inkfold) -> None:
    await people.sql.execute("UPDATE read_profile SET post_count = 9 WHERE username = 'ada'")
    await people.sql.execute("DELETE FROM read_profile WHERE username = 'bob'")
    await people.sql.execute("UPDATE read_profile SET user_id = gen_random_uuid() WHERE username = 'eve'")
    before = await dump(people.sql, with_row_versions=True)
    said = await inkfold("verify", "profiles", "subscriptions")
    assert await dump(people.sql, with_row_versions=True) == before
    assert (said.code, said.err) == (1, "")
    ada = await people.sql.fetchval("SELECT id FROM users WHERE username = 'ada'")
    assert f"read_profile: user_id {ada}\n  expected  post_count: 1\n  found     post_count: 9\n" in said.out
    assert said.out.count("  found     no such row") == 2
    assert said.out.count("  expected  no such row") == 1
    assert "profiles: 3 rows compared in " in said.out
    assert said.out.splitlines()[-2:] == [
        "2 projections compared with the definitions, 5 rows: 4 differ.",
        "To mend: inkfold projections verify profiles --repair",
    ]


async def test_of_many_rows_twenty_are_shown_and_the_rest_counted(people: Blog, inkfold: Inkfold) -> None:
    await people.sql.execute(_GHOSTS)
    said = await inkfold("verify", "profiles")
    assert said.out.count("  expected  no such row") == 20
    assert "read_profile: and 5 more\n" in said.out
    assert len((await inkfold("verify", "profiles", "--json")).json["projections"][0]["tables"][0]["differences"]) == 25


async def test_as_json_it_prints_nothing_else(people: Blog, inkfold: Inkfold) -> None:
    await people.sql.execute("UPDATE read_post_total SET total = 5")
    said = await inkfold("verify", "posts", "--json")
    assert (said.code, said.err) == (1, "")
    (posts,) = said.json["projections"]
    assert {key: posts[key] for key in ("projection", "rows", "different", "exhausted", "sample", "mended")} == {
        "projection": "posts",
        "rows": 3,
        "different": 1,
        "exhausted": True,
        "sample": False,
        "mended": None,
    }
    assert posts["tables"][1]["differences"] == [
        {
            "key": {"singleton": True},
            "expected": {"singleton": True, "total": 2},
            "found": {"singleton": True, "total": 5},
        }
    ]
    assert said.json["unverified"] == []


async def test_repair_mends_and_says_how_much(people: Blog, inkfold: Inkfold) -> None:
    sound = await dump(people.sql)
    await people.sql.execute("UPDATE read_post SET like_count = 7")
    said = await inkfold("verify", "posts", "ranking", "--repair")
    assert (said.code, said.err) == (0, "")
    assert "Mended 2 rows.\n" in said.out
    assert said.out.splitlines()[-1].endswith(" rows: 2 differed and are mended.")
    assert await dump(people.sql) == sound
    assert tuple(await people.sql.fetchrow(_VERIFICATION, "posts") or ()) == (3, 2, True)
    await people.sql.execute("UPDATE read_post SET like_count = 7")
    (posts,) = (await inkfold("verify", "posts", "--repair", "--json")).json["projections"]
    assert posts["mended"] == {"rows": 2, "settled": 0, "rebuilt": False}


async def test_a_repair_makes_redis_forget_the_top_posts(people: Blog, inkfold: Inkfold, projector: Projector) -> None:
    cache = projector.cache
    assert await cache.read_top() is not None
    await people.sql.execute("UPDATE read_post_rank SET like_count = 7")
    await inkfold("verify", "ranking", "--repair")
    assert await cache.read_top() is None


async def test_what_cannot_be_verified_is_told_and_the_others_are_verified(people: Blog, inkfold: Inkfold) -> None:
    await inkfold("pause", "posts")
    said = await inkfold("verify", "posts", "profiles")
    assert said.code == 2
    assert said.err == (
        "Not verified: posts is paused, so it does not reflect the present. First: inkfold projections resume posts\n"
    )
    assert "profiles: 3 rows compared in " in said.out
    await people.sql.execute("UPDATE read_profile SET post_count = 9")
    said = await inkfold("verify", "posts", "profiles", "--json")
    assert said.code == 1
    assert [each["projection"] for each in said.json["projections"]] == ["profiles"]
    assert [each["projection"] for each in said.json["unverified"]] == ["posts"]


async def test_a_sample_can_be_verified_but_not_mended(people: Blog, inkfold: Inkfold) -> None:
    said = await inkfold("verify", "posts", "--sample")
    assert said.code == 0
    assert "compared (a sample) in " in said.out
    assert await people.sql.fetchrow(_VERIFICATION, "posts") is None
    said = await inkfold("verify", "--sample", "--repair", columns=200)
    assert (said.code, said.out) == (2, "")
    assert "--repair needs a whole verification" in said.err


async def test_more_than_can_be_mended_row_by_row_is_rebuilt(
    people: Blog, inkfold: Inkfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = await dump(people.sql)
    await people.sql.execute("UPDATE read_profile SET post_count = 9")
    monkeypatch.setattr("projections.engine.comparison.MOST_FETCHED", 1)
    told = await inkfold("verify", "profiles")
    assert "read_profile: and others that were too many to look at\n" in told.out
    said = await inkfold("verify", "profiles", "--repair")
    assert said.code == 0
    assert said.err == "More of profiles differs than can be mended row by row: rebuilding it.\n"
    assert "Rebuilt it whole.\n" in said.out
    assert await dump(people.sql) == sound


async def test_when_events_are_parked_meanwhile_it_tries_once_more_and_says_so(
    people: Blog, inkfold: Inkfold, sql: Connection
) -> None:
    await people.sql.execute("UPDATE read_post SET like_count = 7")
    await sql.execute(_PARKED_LATER)
    said = await inkfold("verify", "posts", "--repair")
    assert said.code == 1
    assert said.err == (
        "Something of posts changed while it was compared. Verifying again.\n"
        "Not mended: An event of posts was parked meanwhile. Verify again.\n"
    )
