"""`inkfold projections status`: a table of the usual width, what holds events back, and what to do next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from projections.cli.status import remarks, status_table
from projections.engine.shadow import Shadow
from projections.engine.status import Building, OpenTransaction, Report, Status
from projections.registry import PROJECTIONS
from tests.projections.cli.conftest import Inkfold
from tests.projections.conftest import Connect
from tests.support.blog import Blog

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

BUSY = Status(
    projection="like_statistics",
    state="outdated",
    version=12,
    events_behind=123_456_789,
    seconds_behind=0.9994,
    parked=1_000,
    updated_at=NOW - timedelta(days=999),
    step_events=999_400,
    step_seconds=99.9,
    verified_at=NOW - timedelta(minutes=99),
)
SOUND = Status(
    projection="posts", state="running", version=1, updated_at=NOW, verified_at=NOW, different=0, mended=False
)
OPEN = OpenTransaction(
    pid=4711,
    username="ada",
    application_name="psql",
    state="idle in transaction",
    query="UPDATE\n  users",
    seconds=61.5,
)


def lines(rows: list[Status], width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as output:
        console.print(status_table(rows, width=width, now=NOW))
    return output.get().rstrip().splitlines()


def said(*rows: Status, transaction: OpenTransaction | None = None, building: Building | None = None) -> list[str]:
    report = Report(projections=list(rows), oldest_transaction=transaction, building=building)
    return list(remarks(report, now=NOW))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_fits_and_cuts_nothing(width: int) -> None:
    rows = [replace(BUSY, projection=each.name) for each in PROJECTIONS]
    shown = lines(rows, width)
    assert max(map(len, shown)) <= min(width, 100)
    for each in PROJECTIONS:
        line = next(line for line in shown if line.split() and line.split()[0] == each.name)
        assert " ".join(line.split()) == f"{each.name} 12 outdated 123 M 999 ms 3 h 999 d 999 k 99.9 s 1,000 99 m"


def test_an_unbuilt_projection_has_a_row() -> None:
    line = lines([Status(projection="posts", state="unbuilt", version=1)], 80)[-1]
    assert line.split() == ["posts", "1", "unbuilt", *"\N{EN DASH}" * 8]


def test_of_what_is_sound_there_is_nothing_to_say() -> None:
    assert said(SOUND) == []
    assert said(replace(SOUND, different=3, mended=True), transaction=replace(OPEN, seconds=0.2)) == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            replace(SOUND, state="paused", error="DataError: too long"),
            "posts is paused: DataError: too long. Next: inkfold projections resume posts",
        ),
        (
            replace(SOUND, state="failing", error="RaiseError: no room", failures=4),
            (
                "posts has failed 4 times in a row: RaiseError: no room. It is tried again by itself, the others go "
                "on. When that is mended, at once: inkfold projections resume posts"
            ),
        ),
        (replace(SOUND, state="unbuilt"), "posts is not built yet. A worker builds it: inkfold worker"),
        (
            replace(SOUND, state="outdated", version=0),
            (
                "posts has tables of version 0, and is folded until version 1 takes their place. A worker of this "
                "release builds it: inkfold worker"
            ),
        ),
        (
            replace(SOUND, state="newer", version=2),
            (
                "posts has tables of version 2, made by a later release, which folds them; this one has version 1. "
                "To go back to it: inkfold projections rebuild posts"
            ),
        ),
        (
            replace(SOUND, parked=2),
            "posts lacks 2 parked events. Next: inkfold projections parked list posts",
        ),
        (
            replace(SOUND, different=1),
            "posts had 1 row that differed when it was verified. Next: inkfold projections verify posts --repair",
        ),
        (
            replace(SOUND, events_behind=5, seconds_behind=60.0, updated_at=NOW - timedelta(hours=1)),
            "Nobody seems to fold posts. Next: inkfold worker",
        ),
    ],
)
def test_what_is_wrong_comes_with_what_to_do_next(row: Status, says: str) -> None:
    assert said(row) == [says]


def test_a_long_open_transaction_is_named() -> None:
    assert said(SOUND, transaction=OPEN) == [
        (
            "The oldest open transaction holds back its own events, and no others: pid 4711 (psql, as ada), idle in "
            "transaction, for 61.5 s. Its last statement: UPDATE users"
        )
    ]


def test_a_rebuild_is_shown_whether_it_runs_or_was_interrupted() -> None:
    running = Building(pid=4711, bytes=3_000_000, expected_bytes=12_000_000)
    assert said(SOUND, building=running) == ["A rebuild is under way (pid 4711): 3.0 MB of about 12.0 MB are written."]
    assert said(SOUND, building=replace(running, pid=None)) == [
        (
            "A rebuild was interrupted: 3.0 MB of about 12.0 MB are written. The same command goes on with that; "
            "to drop it: inkfold projections rebuild --discard"
        )
    ]
    assert said(replace(SOUND, state="unbuilt"), building=running)[1] == "posts is not built yet."


async def test_it_shows_every_projection_with_its_last_step(people: Blog, inkfold: Inkfold) -> None:
    await people.user("late")
    shown = await inkfold("status")
    assert (shown.code, shown.err) == (0, "")
    for each in PROJECTIONS:
        line = next(line for line in shown.out.splitlines() if line.split()[:1] == [each.name])
        assert line.split()[1:4] == [str(each.version), "running", "1"]


async def test_as_json_it_has_all_there_is_to_know(people: Blog, inkfold: Inkfold, connect: Connect) -> None:
    writer = await connect()
    async with writer.transaction():
        await writer.execute("SELECT pg_current_xact_id()")
        await Shadow.open(people.sql)
        shown = await inkfold("status", "--json")
    assert (shown.code, shown.err) == (0, "")
    posts = shown.json["projections"][0]
    assert {key: posts[key] for key in ("projection", "state", "version", "events_behind", "parked", "error")} == {
        "projection": "posts",
        "state": "running",
        "version": 1,
        "events_behind": 0,
        "parked": 0,
        "error": None,
    }
    assert posts["step_events"] > 0
    assert posts["seconds_left"] is None
    assert datetime.fromisoformat(posts["updated_at"]).tzinfo is not None
    transaction = shown.json["oldest_transaction"]
    assert transaction["pid"] == writer.get_server_pid()
    assert transaction["query"] == "SELECT pg_current_xact_id()"
    assert shown.json["building"] == {"pid": None, "bytes": 0, "expected_bytes": 0}
    assert "A rebuild was interrupted" in shown.json["remarks"][0]
