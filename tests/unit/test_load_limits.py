import argparse

import pytest

from loadtests.limits import Limits, Requests, complaints, weigh, weights

LIMITS = Limits(p95_ms=200, errors_percent=1, lag_seconds=0.5)


class Reader:
    weight = 9


class Writer:
    weight = 1


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "weight", 9)
    monkeypatch.setattr(Writer, "weight", 1)


def requests(name: str = "GET /posts/", *, sent: int = 100, failed: int = 0, p95_ms: float = 20) -> Requests:
    return Requests(name=name, sent=sent, failed=failed, p95_ms=p95_ms)


def test_a_run_that_keeps_to_the_limits_has_no_complaint() -> None:
    kept = [requests(failed=1, p95_ms=200), requests("POST /auth/login/", p95_ms=900), requests(sent=19, p95_ms=900)]
    assert list(complaints(kept, LIMITS, lag=0.5)) == []


@pytest.mark.parametrize(
    ("found", "lag", "broken", "sentence"),
    [
        ([], 0, 0, "No request was sent"),
        ([requests(failed=2)], 0, 0, "2 of 100 requests failed (2.00%), and 1 % may"),
        ([requests(p95_ms=201)], 0, 0, "GET /posts/ took 201 ms at the 95th percentile, and 200 ms is the most"),
        ([requests()], 0.51, 0, "A projection was 0.51 s behind, and 0.5 s is the most"),
        ([requests()], None, 0, "How far behind the projections are is not known"),
        ([requests()], 0, 3, "3 tasks broke off"),
    ],
)
def test_each_limit_that_was_not_kept_is_named(
    found: list[Requests], lag: float | None, broken: int, sentence: str
) -> None:
    (complaint,) = complaints(found, LIMITS, lag=lag, broken=broken)
    assert complaint.startswith(sentence)


def test_weights_say_who_comes_and_how_often() -> None:
    assert weigh([Reader, Writer], {}) == [Reader, Writer]
    assert (Reader.weight, Writer.weight) == (9, 1)
    assert weigh([Reader, Writer], weights("Writer=3, Reader=0")) == [Writer]
    assert Writer.weight == 3


@pytest.mark.parametrize("text", ["", "Reader", "Reader=", "Reader=-1", "Reader=many", "1=2", "Reader=1;Writer=2"])
def test_weights_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not like Reader=70"):
        weights(text)


def test_weights_of_nobody_are_refused() -> None:
    with pytest.raises(SystemExit, match=r"no user Raeder\. There are Reader, Writer\."):
        weigh([Reader, Writer], {"Raeder": 1})
    with pytest.raises(SystemExit, match="all weights are 0"):
        weigh([Reader, Writer], {"Reader": 0})
