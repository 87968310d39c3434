"""Each attack, short, on one real system: counts and statuses, never times."""

from argparse import Namespace
from collections.abc import Iterator
from math import inf

import pytest

from loadtests.hostile import large_bodies, logins, outages, slow_requests
from loadtests.hostile.faults import FROZEN, KILLED, POSTGRESQL
from loadtests.hostile.system import Attacked, attacked
from projections.engine.report import QUIET


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(log=tmp_path_factory.mktemp("hostile") / "up.log", HASHING_QUEUE="16") as running:
        yield running


async def test_what_was_acknowledged_survives_outages_and_is_there_once(system: Attacked) -> None:
    # The window is wider than all of it: how long a busy machine takes to recover is not what is asked here.
    short = Namespace(clients=12, seconds=4.0, away=1.0, pause=0.1, newcomers=1, window=60.0, seed=7)

    found = await outages.attack(system, short, QUIET)

    assert found.failures == ()
    assert sorted(outage.what for outage in found.course.outages) == sorted((POSTGRESQL, POSTGRESQL, FROZEN, KILLED))
    assert found.acknowledged.total() > 0
    assert found.losses.things > 2 * 12
    assert found.rows > 0
    assert any(line.startswith("acknowledged and lost: 0, doubled: 0") for line in found.lines)


async def test_whoever_cannot_sign_in_at_once_is_told_503_and_no_read_fails(system: Attacked) -> None:
    crowded = Namespace(parallel=40, rounds=1, seconds=3.0, reads=50.0, most_ratio=inf)

    found = await logins.attack(system, crowded, QUIET)

    assert found.failures == ()
    assert set(found.logins) == {200, 503}
    assert all(read.seconds for read in (*found.without, *found.beside))


async def test_slow_connections_cost_nobody_else_an_answer(system: Attacked) -> None:
    slow = Namespace(connections=40, steps=2, seconds=1.0, drip=0.05, reads=30.0)

    found = await slow_requests.attack(system, slow, QUIET)

    assert found.failures == []
    assert [level.slow for level in found.levels] == [20, 40]
    assert found.takes == 40


async def test_hostile_bodies_are_refused_and_none_is_held_in_memory(system: Attacked) -> None:
    few = Namespace(megabytes=50, times=2, at_once=2, most_growth=50.0)

    found = await large_bodies.attack(system, few, QUIET)

    assert found.failures == ()
    assert all(answers.statuses.total() == 2 for answers in found.answers)
