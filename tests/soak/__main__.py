"""The long run: `python -m tests.soak --minutes 10`, or `make soak MINUTES=10`. Exits 1 if it finds any difference.

Hypothesis makes a failing run smaller and prints it; the seed that is printed repeats it.
"""

import argparse
import logging
import random
import sys
import time

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from rich.console import Console
from rich.live import Live

from tests.soak.machine import Blog
from tests.soak.stack import running_stack
from tests.soak.tally import Difference, Tally


def main() -> int:
    """Let the machine run until the minutes are over; a round is a few runs of one seed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long; a run that has begun is finished")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9), help="of the first round")
    parser.add_argument("--runs", type=int, default=10, help="runs in a round")
    parser.add_argument("--steps", type=int, default=50, help="steps in a run")
    arguments = parser.parse_args()
    logging.getLogger("asyncpg").addHandler(logging.NullHandler())  # it says at length what we did to it
    console = Console(highlight=False)
    tally = Tally()
    Blog.until = time.monotonic() + 60 * arguments.minutes
    number, failed = arguments.seed, False
    try:
        with running_stack(tally) as Blog.stack, Live(get_renderable=tally.line, console=console, transient=True):
            while time.monotonic() < Blog.until:
                run_state_machine_as_test(seed(number)(Blog), settings=_long(arguments.runs, arguments.steps))
                console.print(f"seed {number}: {tally.line()}")
                number += 1
    except KeyboardInterrupt:
        console.print("Stopped.")
    except (Difference, Flaky, ExceptionGroup) as error:
        failed = True
        console.print(tally.failure or repr(error), markup=False)
    console.print(tally.table())
    if failed or tally.differences:
        again = f"--seed {number} --runs {arguments.runs} --steps {arguments.steps}"
        console.print(f"To try it again: python -m tests.soak --minutes 1 {again}")
    return 1 if failed or tally.differences else 0


def _long(runs: int, steps: int) -> settings:
    return settings(
        database=None,
        deadline=None,
        max_examples=runs,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )


if __name__ == "__main__":
    sys.exit(main())
