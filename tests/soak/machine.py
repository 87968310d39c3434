"""The state machine: a blog is used while everything goes wrong that can, and nobody may ever be told a wrong thing.

Rules draw numbers and names only, never what the system has answered: so a run can be repeated, and made smaller.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from math import inf
from time import monotonic
from typing import Any, ClassVar, TypeAlias, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.soak.acts import Act, acts, several
from tests.soak.faults import FAULTS, NOTHING
from tests.soak.own import LOOKS, Look
from tests.soak.people_commands import Follow, Like
from tests.soak.post_commands import Edit, Publish
from tests.soak.run import Run
from tests.soak.spoiling import HOWS, TABLES, How
from tests.soak.stack import Stack
from tests.soak.tally import Difference
from tests.soak.upkeep import ENDS, NAMES, End

Rule: TypeAlias = Callable[..., None]

_rule = cast("Callable[..., Callable[[Rule], Rule]]", rule)  # whose overloads know no drawn arguments by **

numbers = st.integers(0, 39)
counts = st.integers(0, 16)
seeds = st.integers(0, 2**32 - 1)
faults = st.sampled_from([NOTHING, *FAULTS])


def step(**drawn: st.SearchStrategy[Any]) -> Callable[[Rule], Rule]:
    """Declare a rule; it is counted, and written into the journal."""

    def declare(function: Rule) -> Rule:
        @wraps(function)
        def run(self: "Blog", **values: Any) -> None:
            if self.over:
                return
            self.stack.tally.steps += 1
            self.stack.tally.note(f"{function.__name__} {values or ''}")
            self.attempt(partial(function, self, **values))

        return _rule(**drawn)(run)

    return declare


class Blog(RuleBasedStateMachine):
    """A blog under attack. `stack` is set before Hypothesis makes the first one.

    Runs that begin after `until` (of time.monotonic) do nothing, unless something is wrong that is to be made smaller.
    """

    stack: ClassVar[Stack]
    until: ClassVar[float] = inf
    run: Run
    over = False

    @initialize(long_memory=st.booleans())
    def begin(self, *, long_memory: bool) -> None:
        if monotonic() > self.until and not self.stack.tally.differences:
            self.over = True
            return
        self.stack.tally.runs += 1
        self.stack.tally.journal.clear()

        def begin() -> None:
            self.run = Run(self.stack, users=3, long_memory=long_memory)

        self.attempt(begin)

    @step()
    def join(self) -> None:
        """Somebody signs up. Hypothesis's first run has nothing but the first of these rules in the alphabet."""
        self.run.join()

    @step(number=st.integers(1, 12), seed=seeds)
    def write(self, number: int, seed: int) -> None:
        for act in several(number, seed):
            self.run.write(act)

    @step(number=counts, seed=seeds, fault=faults, after=st.integers(0, 8))
    def write_at_once(self, number: int, seed: int, fault: str, after: int) -> None:
        self.run.write_at_once(several(number, seed), fault, after=after)

    @step(act=acts, fault=faults, handed_on=st.booleans())
    def write_and_look(self, act: Act, fault: str, *, handed_on: bool) -> None:
        self.run.write_and_look(act, fault, handed_on=handed_on)

    @step(who=numbers, look=st.sampled_from(LOOKS), what=numbers, fault=faults)
    def look(self, who: int, look: Look, what: int, fault: str) -> None:
        self.run.look(who, look, what, fault)

    @step(act=acts)
    def hold_open(self, act: Act) -> None:
        for command in self.run.commands([replace(act, way="POST")]):
            if isinstance(command, Publish | Edit | Follow | Like):
                self.run.holds.begin(command)

    @step(which=numbers, commit=st.booleans())
    def let_go(self, which: int, *, commit: bool) -> None:
        self.run.holds.end(which, commit=commit)

    @step(change=st.sampled_from(["killed", "started", "stopped", "woken"]))
    def change_workers(self, change: str) -> None:
        self.run.change_workers(change)

    @step(name=st.sampled_from(NAMES))
    def pause(self, name: str) -> None:
        self.run.pause(name)

    @step(name=st.sampled_from(["--all", *NAMES]), end=st.sampled_from(ENDS), number=counts, seed=seeds, fault=faults)
    def rebuild(self, name: str, end: End, number: int, seed: int, fault: str) -> None:
        self.run.rebuild(name, end, several(number, seed), fault)

    @step(tables=st.lists(st.sampled_from(TABLES), max_size=3, unique=True), how=st.sampled_from(HOWS), which=numbers)
    def spoil_and_mend(self, tables: list[str], how: How, which: int) -> None:
        self.run.spoil_and_mend(tables, how, which)

    @step(number=counts, seed=seeds)
    def verify_meanwhile(self, number: int, seed: int) -> None:
        self.run.verify_meanwhile(several(number, seed))

    @step()
    def prune(self) -> None:
        self.run.upkeep.prune()

    @step()
    def quiet(self) -> None:
        self.run.come_to_rest()

    def teardown(self) -> None:
        """End as everything does: quietly."""
        if not self.over:
            self.attempt(self.run.come_to_rest)
        if hasattr(self, "run"):
            self.run.holds.end_all()

    def attempt(self, work: Callable[[], None]) -> None:
        """Do a part of the run; when it fails, the run is over, and the tally keeps what led to it."""
        try:
            work()
        except BaseException as error:
            self.over = True
            if isinstance(error, Difference):
                self.stack.tally.fail(error, self.stack.workers.last_words())
            raise
