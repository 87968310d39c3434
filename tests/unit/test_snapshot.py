"""Snapshots against their meaning: the set of transaction ids that each one sees."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.engine.snapshot import Snapshot, newest

LARGEST = 30
UNIVERSE = range(LARGEST + 10)

xids = st.integers(0, LARGEST)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot that PostgreSQL could have taken, with few transactions, so that coincidences are many."""
    xmax = draw(st.integers(1, LARGEST))
    in_progress = draw(st.frozensets(st.integers(1, xmax - 1), max_size=6)) if xmax > 1 else frozenset()
    return Snapshot(min(in_progress, default=xmax), xmax, in_progress)


def seen_by(snapshot: Snapshot) -> frozenset[int]:
    """Return what a snapshot sees, by PostgreSQL's words: below xmax, and not in progress."""
    return frozenset(
        xid for xid in UNIVERSE if xid < snapshot.xmin or (xid < snapshot.xmax and xid not in snapshot.in_progress)
    )


@dataclass
class Cluster:
    """Numbers transactions as PostgreSQL does, and takes snapshots of those that run."""

    next_xid: int = 3
    completed_below: int = 3
    running: list[int] = field(default_factory=list)

    def begin(self) -> None:
        self.running.append(self.next_xid)
        self.next_xid += 1

    def end(self, which: int) -> None:
        if self.running:
            xid = self.running.pop(which % len(self.running))
            self.completed_below = max(self.completed_below, xid + 1)

    def snapshot(self) -> Snapshot:
        in_progress = frozenset(xid for xid in self.running if xid < self.completed_below)
        return Snapshot(min(in_progress, default=self.completed_below), self.completed_below, in_progress)


Happening = int | tuple[bool, int] | None

#: None begins a transaction, a number ends one of those that run, "step" takes the next snapshot of a chain.
happenings = st.lists(st.one_of(st.none(), st.integers(0, 5), st.tuples(st.booleans(), st.integers(0, 4))))


def chain_of(happened: Sequence[Happening]) -> list[Snapshot]:
    """Return a projection's snapshots, each taken after the one before; some are cut, never below the last xmax."""
    cluster = Cluster()
    chain = [cluster.snapshot()]
    for happening in happened:
        match happening:
            case None:
                cluster.begin()
            case int(which):
                cluster.end(which)
            case (is_cut, further):
                now = cluster.snapshot()
                chain.append(now.cut(chain[-1].xmax + further) if is_cut else now)
    return chain


@given(snapshots())
def test_text_is_read_back_as_the_same_snapshot(snapshot: Snapshot) -> None:
    assert Snapshot.parse(str(snapshot)) == snapshot


@pytest.mark.parametrize(
    ("text", "snapshot"),
    [
        ("10:20:10,14,15", Snapshot(10, 20, frozenset({10, 14, 15}))),
        ("795:799:795,798", Snapshot(795, 799, frozenset({795, 798}))),
        ("3:3:", Snapshot(3, 3, frozenset())),
        (
            "18446744073709551610:18446744073709551615:18446744073709551610",
            Snapshot(2**64 - 6, 2**64 - 1, frozenset({2**64 - 6})),
        ),
    ],
)
def test_text_is_that_of_postgresql(text: str, snapshot: Snapshot) -> None:
    assert Snapshot.parse(text) == snapshot
    assert str(snapshot) == text


@pytest.mark.parametrize("text", ["", "10", "10:20", "10:20:11:12", "ten:20:", "10:20:x", "::"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() and parse() both say it in their own words
        Snapshot.parse(text)


@given(snapshots(), xids)
def test_sees_exactly_what_is_below_xmax_and_not_in_progress(snapshot: Snapshot, xid: int) -> None:
    assert snapshot.sees(xid) == (xid in seen_by(snapshot))


@given(snapshots(), snapshots())
def test_covers_means_seeing_all_that_the_other_sees(one: Snapshot, other: Snapshot) -> None:
    assert one.covers(other) == (seen_by(one) >= seen_by(other))


@given(snapshots())
def test_a_snapshot_covers_itself(snapshot: Snapshot) -> None:
    assert snapshot.covers(snapshot)


@given(snapshots(), xids)
def test_a_cut_sees_what_the_whole_sees_below_the_cut(snapshot: Snapshot, xid: int) -> None:
    assert seen_by(snapshot.cut(xid)) == {seen for seen in seen_by(snapshot) if seen < xid}


@given(snapshots(), st.integers(1, LARGEST))
def test_a_cut_is_a_snapshot_that_postgresql_takes(snapshot: Snapshot, xid: int) -> None:
    cut = snapshot.cut(xid)
    assert cut.xmin <= cut.xmax
    assert all(cut.xmin <= running < cut.xmax for running in cut.in_progress)
    assert cut.cut(xid) == cut
    assert snapshot.covers(cut)


@given(snapshots())
def test_a_cut_beyond_everything_changes_nothing(snapshot: Snapshot) -> None:
    assert snapshot.cut(snapshot.xmax) == snapshot


@given(happenings)
def test_each_snapshot_of_a_chain_covers_those_before(happened: list[Happening]) -> None:
    chain = chain_of(happened)
    for before, after in pairwise(chain):
        assert after.covers(before)


@given(happenings)
def test_age_grows_exactly_when_a_chain_comes_to_see_more(
    happened: list[Happening],
) -> None:
    chain = chain_of(happened)
    everything = range(chain[-1].xmax + 10)
    for before, after in pairwise(chain):
        if {xid for xid in everything if after.sees(xid)} > {xid for xid in everything if before.sees(xid)}:
            assert after.age > before.age
        else:
            assert after.age >= before.age


@given(happenings, st.randoms())
def test_the_newest_of_a_chain_sees_the_most(happened: list[Happening], random: Random) -> None:
    chain = chain_of(happened)
    shuffled = random.sample(chain, len(chain))
    assert all(newest(shuffled).covers(snapshot) for snapshot in chain)
