"""Which failures an outage accounts for, and that a claim that does not hold ends in exit code 1."""

from collections import Counter

import pytest

from loadtests.hostile.bodies import Hostile
from loadtests.hostile.bystanders import Read
from loadtests.hostile.client import Answered
from loadtests.hostile.faults import FROZEN, POSTGRESQL, Outage
from loadtests.hostile.findings import conclude
from loadtests.hostile.large_bodies import Answers, Swallowed
from loadtests.hostile.recovery import NO_OUTAGE, Course
from loadtests.hostile.slow_requests import Level, SlowedDown
from loadtests.hostile.system import Memory

FINE = Read([0.001, 0.002])


def write(status: int, *, sent: float, at: float) -> Answered:
    return Answered(kind="write", what="like", status=status, sent=sent, at=at)


def test_a_failure_belongs_to_the_outage_that_its_request_touched() -> None:
    crash = Outage(what=POSTGRESQL, began=10, back=12)
    frozen = Outage(what=FROZEN, began=11, back=30)
    answers = [
        write(503, sent=1, at=2),
        write(503, sent=9, at=10.5),
        write(0, sent=16, at=17),
        write(500, sent=11, at=11.5),
        write(503, sent=18, at=19),
        write(500, sent=40, at=41),
        write(404, sent=42, at=43),
    ]
    course = Course(answers=answers, outages=[crash, frozen], window=5)

    assert course.failures() == {
        NO_OUTAGE: {"like 503": 1, "like 500": 2},
        POSTGRESQL: {"like 503": 1, "like no answer": 1},
        FROZEN: {"like 503": 1},
    }
    assert course.unexcused() == {NO_OUTAGE: {"like 503": 1, "like 500": 2}, FROZEN: {"like 503": 1}}


def test_recovery_counts_from_when_the_server_was_back() -> None:
    crash = Outage(what=POSTGRESQL, began=10, back=12)
    read = Answered(kind="read", what="GET", status=200, sent=11, at=11.5)
    answers = [write(200, sent=9, at=9.5), write(503, sent=12, at=12.5), write(200, sent=12.6, at=13), read]
    course = Course(answers=answers, outages=[crash], window=5)

    assert course.recovered(crash, "write") == 1
    assert course.recovered(crash, "read") is None
    assert course.last_failure(crash) == 0.5
    assert course.silence(crash, "write") == 3
    assert not course.over(crash)


def test_one_error_of_somebody_else_fails_the_slow_requests(capsys: pytest.CaptureFixture[str]) -> None:
    failing = Read([0.001, 0.002], Counter({"no answer": 1}))
    levels = [Level(slow=250, read=FINE), Level(slow=500, read=failing), Level(slow=750, read=FINE)]

    code = conclude(SlowedDown(alone=FINE, levels=levels, after=FINE))

    said = capsys.readouterr().out
    assert code == 1
    assert "nobody else met an error beside 250 slow connections" in said
    assert "FAILED: Others failed beside 500 slow connections: {'no answer': 1}" in said


def test_a_body_that_is_taken_or_kept_in_memory_fails(capsys: pytest.CaptureFixture[str]) -> None:
    large = Hostile(name="50 MB", pieces=lambda: iter(()), statuses=frozenset({413}))
    taken = Answers(hostile=large, statuses=Counter({200: 1, 413: 1}), peak=160_000_000)
    memory = Memory(now=100_000_000, peak=100_000_000)

    code = conclude(Swallowed(before=memory, after=memory, most_growth=50, lives=True, answers=[taken]))

    assert code == 1
    said = capsys.readouterr().out
    assert "FAILED: 50 MB: 200 1 times, 413 1 times, and must be 413." in said
    assert "FAILED: The API's memory grew by 60.0 MB, and 50 MB is the most." in said


def test_where_everything_holds_the_exit_code_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(SlowedDown(alone=FINE, levels=[Level(slow=1_000, read=FINE)], after=FINE)) == 0
    assert "FAILED" not in capsys.readouterr().out
