"""A short run of the machine, the same each time; `make soak` runs long ones, each different."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.machine import Blog
from tests.soak.stack import running_stack
from tests.soak.tally import Tally

#: With it every rule and every fault has its turn.
_SEED = 34


@pytest.fixture
def tally() -> Iterator[Tally]:
    tally = Tally()
    with running_stack(tally) as Blog.stack:
        yield tally


def test_whatever_goes_wrong_nobody_is_told_a_wrong_thing(tally: Tally) -> None:
    short = settings(
        database=None,
        max_examples=5,
        stateful_step_count=30,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(_SEED)(Blog), settings=short)
    except BaseException as error:
        error.add_note(tally.failure)
        raise
