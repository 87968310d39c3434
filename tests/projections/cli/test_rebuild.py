"""`inkfold projections rebuild`: builds, says what it would do, stops without harm, and goes on."""

import asyncio
import signal

import pytest

from projections.engine.checkpoint import Connection
from projections.engine.locks import BUILDING, holding
from projections.engine.shadow import Shadow, shadow_schemas
from tests.projections.cli.conftest import Inkfold, Started
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import dump

_CHECKPOINTS = "SELECT c::text FROM checkpoint c ORDER BY projection"
_RELATIONS = "SELECT oid, relname, relfilenode FROM pg_class WHERE NOT relname LIKE 'pg\\_%' ORDER BY oid"


async def everything(sql: Connection) -> list[object]:
    return [
        await dump(sql, with_row_versions=True),
        [tuple(row) for row in await sql.fetch(_CHECKPOINTS)],
        [tuple(row) for row in await sql.fetch(_RELATIONS)],
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name the projections to rebuild, or say --all. There are: posts, post_likes, ranking,"),
        (["posts", "--all"], "Name projections or say --all, not both."),
        (["post"], "There is no projection 'post'. There are: posts, post_likes, ranking,"),
        (["--all", "--discard"], "--discard goes alone"),
        (["posts", "--sessions", "0"], "--sessions"),
    ],
)
async def test_what_it_cannot_do_is_a_usage_error(inkfold: Inkfold, arguments: list[str], says: str) -> None:
    said = await inkfold("rebuild", *arguments, columns=200)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


async def test_it_says_what_was_built(people: Blog, inkfold: Inkfold) -> None:
    before = await dump(people.sql)
    place = await people.sql.fetchval("SELECT 'read_post'::regclass::oid")
    said = await inkfold("rebuild", "posts", "subscriptions", "posts")
    assert (said.code, said.err) == (0, "")
    *tables, total = said.out.splitlines()
    assert tables == ["read_post: about 2 rows", "read_post_total: about 1 row", "read_subscription: about 2 rows"]
    assert total.startswith("Rebuilt 3 tables, about 5 rows, in ")
    assert await dump(people.sql) == before
    assert await people.sql.fetchval("SELECT 'read_post'::regclass::oid") != place


async def test_as_json_it_prints_nothing_else(people: Blog, inkfold: Inkfold) -> None:  # noqa: ARG001
    said = await inkfold("rebuild", "posts", "--sessions", "1", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json["projections"] == [
        {
            "projection": "posts",
            "version": 1,
            "tables": [{"table": "read_post", "rows": 2}, {"table": "read_post_total", "rows": 1}],
        }
    ]
    assert said.json["seconds"] > 0


async def test_a_dry_run_changes_nothing(people: Blog, inkfold: Inkfold) -> None:
    await people.user("not-folded-yet")
    await people.sql.execute("UPDATE checkpoint SET build_seconds = 2 WHERE projection = 'posts'")
    before = await everything(people.sql)
    said = await inkfold("rebuild", "posts", "subscriptions", "--dry-run", columns=100)
    plan = (await inkfold("rebuild", "posts", "subscriptions", "--dry-run", "--sessions", "4", "--json")).json
    assert await everything(people.sql) == before
    assert (said.code, said.err) == (0, "")
    assert [line.split()[:2] for line in said.out.splitlines()[3:6]] == [
        ["posts", "read_post"],
        ["posts", "read_post_total"],
        ["subscriptions", "read_subscription"],
    ]
    assert "It would build 3 tables, and need " in said.out
    assert "The last builds took, with one session: posts 2.0 s, subscriptions " in said.out
    assert said.out.splitlines()[-1] == "Nothing was changed."
    assert plan["sessions"] == 4
    assert plan["bytes"] == sum(table["bytes"] for table in plan["tables"]) > 0
    assert plan["build_seconds"]["posts"] == 2
    assert 1 < plan["estimated_seconds"] < 2  # read_post is the larger part of what took two seconds
    assert plan["guessed"] is False


async def test_of_what_has_grown_since_the_last_build_the_time_is_guessed(people: Blog, inkfold: Inkfold) -> None:
    await people.sql.execute("UPDATE checkpoint SET build_seconds = 0.000001 WHERE projection = 'posts'")
    plan = (await inkfold("rebuild", "posts", "--dry-run", "--sessions", "1", "--json")).json
    assert plan["guessed"] is True
    assert plan["estimated_seconds"] == plan["bytes"] / 10_000_000
    said = await inkfold("rebuild", "posts", "--dry-run")
    assert "over 2 sessions (a guess, since not all was built at this size before)." in said.out


async def test_a_dry_run_tells_of_what_would_prevent_it(people: Blog, inkfold: Inkfold, connect: Connect) -> None:
    other = await connect()
    await Shadow.open(other)
    assert (
        "It would go on with what an interrupted rebuild has left"
        in (await inkfold("rebuild", "posts", "--dry-run")).out
    )
    async with holding(other, [BUILDING]):
        said = await inkfold("rebuild", "posts", "--dry-run")
    assert f"It would not begin now: another session (pid {other.get_server_pid()}) is rebuilding." in said.out
    await people.sql.execute("CREATE VIEW mine AS SELECT id FROM read_post")
    try:
        said = await inkfold("rebuild", "posts", "--dry-run")
    finally:
        await people.sql.execute("DROP VIEW mine")
    assert (said.code, said.out) == (1, "")
    assert "view mine (of read_post). Drop it, rebuild, and make it again." in said.err


async def test_one_at_a_time(people: Blog, inkfold: Inkfold, connect: Connect) -> None:
    other = await connect()
    before = await everything(people.sql)
    async with holding(other, [BUILDING]):
        rebuild = await inkfold("rebuild", "--all")
        discard = await inkfold("rebuild", "--discard")
    assert await everything(people.sql) == before
    assert (rebuild.code, rebuild.out) == (1, "")
    assert f"Another session (pid {other.get_server_pid()}) is rebuilding." in rebuild.err
    assert (discard.code, discard.out) == (1, "")
    assert f"A rebuild is running (pid {other.get_server_pid()}); nothing was dropped." in discard.err


async def test_what_depends_on_a_table_is_named(people: Blog, inkfold: Inkfold) -> None:
    await people.sql.execute("CREATE VIEW mine AS SELECT id FROM read_post")
    try:
        said = await inkfold("rebuild", "posts")
    finally:
        await people.sql.execute("DROP VIEW mine")
    assert (said.code, said.out) == (1, "")
    assert "view mine (of read_post). Drop it, rebuild, and make it again." in said.err


async def test_what_was_left_can_be_dropped(people: Blog, inkfold: Inkfold) -> None:
    await Shadow.open(people.sql)
    said = await inkfold("rebuild", "--discard")
    assert (said.code, said.out) == (0, "Dropped what an interrupted rebuild had left.\n")
    assert await shadow_schemas(people.sql) == []
    assert (await inkfold("rebuild", "--discard")).out == "No rebuild has left anything.\n"
    assert (await inkfold("rebuild", "--discard", "--json")).json == {"discarded": False}


async def filled(sql: Connection) -> list[str]:
    """Return the projections that a rebuild under way has filled."""
    schemas = await shadow_schemas(sql)
    if not schemas or not await sql.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{schemas[-1]}.filled"):
        return []
    return [row["projection"] for row in await sql.fetch(f"SELECT projection FROM {schemas[-1]}.filled")]


async def test_ctrl_c_stops_it_without_harm_and_the_same_command_goes_on(
    people: Blog, inkfold: Inkfold, started: Started, connect: Connect
) -> None:
    before, rows = await everything(people.sql), await dump(people.sql)
    blocker = await connect()
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE likes")  # the definition of posts reads it, that of subscriptions does not
        rebuild = await started("rebuild", "subscriptions", "posts")
        while await filled(people.sql) != ["subscriptions"]:
            assert rebuild.returncode is None
            await asyncio.sleep(0.01)
        under_way = await inkfold("status")
        rebuild.send_signal(signal.SIGINT)
        out, err = await rebuild.communicate()
    assert "A rebuild is under way (pid " in under_way.out
    assert (rebuild.returncode, out) == (130, b"")
    assert err.decode().startswith("Stopped. Queries go on with the tables there were. What is filled is kept:")
    assert (await everything(people.sql))[:2] == before[:2]
    assert "A rebuild was interrupted" in (await inkfold("status")).out

    again = await inkfold("rebuild", "subscriptions", "posts")

    assert again.code == 0
    assert again.err == "Going on with what an interrupted run has filled: subscriptions.\n"
    assert "Rebuilt 3 tables, about 5 rows" in again.out
    assert await dump(people.sql) == rows
    assert await shadow_schemas(people.sql) == []
