"""What a replica's position says of the age of what it shows."""

from math import inf

from app.replicas.milestones import Milestones, Position


def position(lsn: int, snapshot: str, *, timeline: int = 1) -> Position:
    return Position(cluster=7, timeline=timeline, snapshot=snapshot, lsn=lsn)


def test_a_replica_shows_the_latest_moment_whose_position_it_has_reached() -> None:
    milestones = Milestones()
    for at, lsn in ((1.0, 100), (2.0, 200), (3.0, 300)):
        milestones.add(position(lsn, f"{lsn}:{lsn}:"), at=at)
    assert [milestones.reflected(lsn) for lsn in (99, 100, 299, 300, 999)] == [-inf, 1.0, 2.0, 3.0, 3.0]


def test_what_is_written_without_a_commit_makes_no_replica_older() -> None:
    milestones = Milestones()
    milestones.add(position(100, "5:5:"), at=1.0)
    milestones.add(position(150, "5:5:"), at=2.0)
    milestones.add(position(200, "5:6:"), at=3.0)
    milestones.add(position(250, "5:6:"), at=4.0)
    assert [milestones.reflected(lsn) for lsn in (100, 199, 200)] == [2.0, 2.0, 4.0]


def test_positions_of_another_history_say_nothing() -> None:
    milestones = Milestones()
    milestones.add(position(100, "5:5:"), at=1.0)
    milestones.add(position(300, "5:5:", timeline=2), at=2.0)
    assert [milestones.reflected(lsn) for lsn in (200, 300)] == [-inf, 2.0]
