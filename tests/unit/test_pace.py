"""How many events a step takes: as many as fit its time, found by halving and doubling."""

import pytest

from projections.engine.pace import LEAST, Pace


def settled(pace: Pace, *, seconds_per_event: float) -> int:
    """Let steps cost so much, and return how many events they take in the long run."""
    for _ in range(30):
        pace.learn(pace.limit * seconds_per_event)
    return pace.limit


@pytest.mark.parametrize(("most", "first"), [(20_000, 5_000), (1_000, LEAST), (2, 2)])
def test_the_first_step_is_a_cautious_one(most: int, first: int) -> None:
    assert Pace(most=most, seconds=0.5).limit == first


@pytest.mark.parametrize(("microseconds", "events"), [(50, 10_000), (100, 5_000), (500, 1_000)])
def test_steps_come_to_last_as_long_as_they_may(microseconds: int, events: int) -> None:
    pace = Pace(most=20_000, seconds=0.5)
    assert settled(pace, seconds_per_event=microseconds / 1e6) == pytest.approx(events, rel=0.01)


def test_steps_never_take_more_than_the_most() -> None:
    assert settled(Pace(most=20_000, seconds=0.5), seconds_per_event=0) == 20_000
    assert settled(Pace(most=3, seconds=0.5), seconds_per_event=1e-9) == 3


def test_steps_stay_large_enough_to_get_on() -> None:
    assert settled(Pace(most=20_000, seconds=0.5), seconds_per_event=60) == LEAST
    assert settled(Pace(most=3, seconds=0.5), seconds_per_event=60) == 3


def test_one_slow_step_at_most_halves_the_next_and_one_fast_step_at_most_doubles_it() -> None:
    pace = Pace(most=20_000, seconds=0.5)
    pace.learn(3_600)
    assert pace.limit == 2_500
    pace.learn(0.001)
    assert pace.limit == 5_000


def test_when_events_become_dear_steps_become_small_and_grow_again() -> None:
    pace = Pace(most=20_000, seconds=0.5)
    assert settled(pace, seconds_per_event=1e-5) == 20_000
    assert settled(pace, seconds_per_event=5e-4) == pytest.approx(1_000, rel=0.01)
    assert settled(pace, seconds_per_event=1e-5) == 20_000


def test_steps_of_a_backlog_for_which_nobody_waits_last_ever_longer_and_ten_times_as_long_at_most() -> None:
    pace = Pace(most=1_000_000, seconds=0.5)
    lasted = []
    for _ in range(30):
        lasted.append(pace.limit * 1e-4)
        pace.learn(lasted[-1], awaited=False)
    assert lasted == sorted(lasted)
    assert all(each <= max(0.5, sum(lasted[:turn]) / 2) + 1e-3 for turn, each in enumerate(lasted))
    assert lasted[-1] == pytest.approx(5, rel=0.01)


def test_as_soon_as_somebody_waits_steps_become_short_again() -> None:
    pace = Pace(most=1_000_000, seconds=0.5)
    for _ in range(30):
        pace.learn(pace.limit * 1e-4, awaited=False)
    assert settled(pace, seconds_per_event=1e-4) == pytest.approx(5_000, rel=0.01)


def test_the_next_backlog_begins_with_steps_of_the_usual_length() -> None:
    pace = Pace(most=1_000_000, seconds=0.5)
    for _ in range(30):
        pace.learn(pace.limit * 1e-4, awaited=False)
    pace.arrive()
    assert pace.limit == pytest.approx(5_000, rel=0.01)
    pace.arrive()
    assert pace.limit == pytest.approx(5_000, rel=0.01)


def test_arriving_leaves_small_steps_as_they_are() -> None:
    pace = Pace(most=3, seconds=0.5)
    pace.learn(60, awaited=False)
    pace.arrive()
    assert pace.limit == 3
