"""One run of the machine: its users, its oracle, and the ways in which rules write, look and come to rest."""

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from tests.soak import quiet
from tests.soak.acts import Act, Script, choose
from tests.soak.background import PATIENCE_SECONDS
from tests.soak.command import Command
from tests.soak.crowd import Crowd, Unavailable, compatible
from tests.soak.faults import FAULTS, NOTHING
from tests.soak.holds import Holds
from tests.soak.oracle import Oracle
from tests.soak.own import Glance, Look
from tests.soak.spoiling import How, spoil
from tests.soak.stack import Stack
from tests.soak.tally import Difference
from tests.soak.upkeep import End, Upkeep

T = TypeVar("T")

_MOST_USERS = 6


class Run:
    """Begins with an empty blog. Raises Difference wherever the system is not as the oracle says."""

    def __init__(self, stack: Stack, *, users: int, long_memory: bool) -> None:
        self.stack = stack
        self.oracle = Oracle()
        self.holds = Holds(stack, self.oracle)
        self.upkeep = Upkeep(stack)
        self._crowd = Crowd(stack, self.oracle)
        self._script = Script(self.oracle)
        self._troubled = True  # until the worker is there
        stack.renew(long_memory=long_memory)
        for _ in range(users):
            self.join()

    def join(self) -> None:
        """Somebody new signs up."""
        if len(self.oracle.users) < _MOST_USERS:
            self._crowd.register(f"person-{len(self.oracle.users)}")

    def commands(self, acts: Sequence[Act]) -> list[Command]:
        """Return what can be done of these acts without waiting for an open transaction."""
        commands = (self._script.command(act) for act in acts)
        return [command for command in commands if command is not None and not self.holds.forbid(command)]

    def write(self, act: Act) -> None:
        """Do one thing."""
        self._crowd.perform(self.commands([act]))

    def write_at_once(self, acts: Sequence[Act], fault: str, *, after: int) -> None:
        """Do many things at once, with a fault when so many of them have been answered."""
        may_fail = FAULTS[fault].fails_commands
        inject = partial(self.inject, fault)
        self._crowd.perform(compatible(self.commands(acts)), fault=inject, after=after, may_fail=may_fail)

    def write_and_look(self, act: Act, fault: str, *, handed_on: bool) -> None:
        """Do one thing and look for it, as who did it or as somebody to whom the token was handed on."""
        for command, answer in self._crowd.perform(self.commands([act])):
            witness = command.witness(answer.json() if answer.content else {}) if answer.is_success else None
            token = answer.headers.get("Consistency-Token") if handed_on else None
            if witness is None or (handed_on and (token is None or witness.only_own)):
                continue
            seen_by = None if handed_on else command.user_id
            seen = self._ask(self._crowd.get(witness.path, seen_by, token=token), fault)
            if seen is not None and not witness.shows(seen.status_code, seen.json()):
                raise Difference(f"{command} is not to be seen: {witness.path} is {seen.status_code} {seen.text}")

    def look(self, who: int, look: Look, what: int, fault: str) -> None:
        """Let a user look at a screen: it must have what the user wrote, while others' writes may be missing."""
        user_id = choose(list(self.oracle.users), who)
        wrong = self._ask(look(Glance(self.oracle, user_id, what, self._crowd.get)), fault)
        if wrong:
            raise Difference("\n".join([f"As {user_id}:", *wrong]))

    def inject(self, fault: str) -> None:
        """Let something go wrong that is over soon."""
        if fault != NOTHING:
            self.stack.tally.fault(fault)
            self._troubled = self._troubled or FAULTS[fault].fails_queries
            FAULTS[fault].inject(self.stack)

    def change_workers(self, change: str) -> None:
        """Let a worker be killed, started or stopped, or those that are stopped be woken."""
        workers = self.stack.workers
        if change in {"killed", "stopped"}:
            self._troubled = True
            self.stack.tally.fault(f"worker {change}")
        {"killed": workers.kill, "started": workers.start, "stopped": workers.stop, "woken": workers.wake}[change]()

    def pause(self, name: str) -> None:
        """Let a projection stand still until somebody wants to see something."""
        self._troubled = True
        self.stack.tally.fault("projection paused")
        self.upkeep.pause(name)

    def rebuild(self, name: str, end: End, acts: Sequence[Act], fault: str) -> None:
        """Rebuild one projection or all, while users write and something goes wrong."""
        meanwhile = partial(self.write_at_once, acts, fault, after=len(acts) // 2)
        self.upkeep.rebuild(name, end, meanwhile, may_fail=FAULTS[fault].fails_commands)

    def spoil_and_mend(self, tables: Sequence[str], how: How, number: int) -> None:
        """Spoil rows by hand, while nothing else happens, and have them mended."""
        self._set_going()
        quiet.come_to_rest(self.stack)
        spoilt = [row for table in tables if (row := spoil(self.stack, table, how, number)) is not None]
        for row in spoilt:
            self.stack.tally.fault(f"row {row.how}")
        self.upkeep.mend(spoilt)

    def verify_meanwhile(self, acts: Sequence[Act]) -> None:
        """Verify while users write: nothing differs."""
        self._set_going()
        quiet.come_to_rest(self.stack)
        self._crowd.perform(compatible(self.commands(acts)), fault=self._verify)

    def come_to_rest(self) -> None:
        """Set everything going, wait until there is nothing to do, and compare everything."""
        self._set_going()
        quiet.come_to_rest(self.stack)
        user_id = choose(list(self.oracle.users), self.stack.tally.quiet_moments)
        self._verify()
        wrong = self.stack.background.run(quiet.compare(self.oracle, self._crowd.get, closely_as=user_id))
        if wrong:
            raise Difference("\n".join(wrong))
        self.stack.tally.quiet_moments += 1
        self._troubled = False

    def _verify(self) -> None:
        if found := self.upkeep.verify():
            raise Difference("\n".join(f"verify found {difference} in {table}" for table, difference in found))

    def _ask(self, asking: Coroutine[Any, Any, T], fault: str) -> T | None:
        """Ask while something goes wrong and what stands still is set going; None for a 503 that is right."""
        asked = self.stack.background.begin(asking)
        self.inject(fault)
        self._set_going()
        try:
            return asked.result(PATIENCE_SECONDS)
        except Unavailable as error:
            if not self._troubled:
                raise Difference(f"503 {error}, though nothing is wrong") from error
            self.stack.tally.unavailable[f"query: {error}"] += 1
            return None

    def _set_going(self) -> None:
        """Have every projection go on, and a worker that works."""
        self.upkeep.resume()
        self.stack.workers.replace_ended()
        self.stack.workers.wake()
        if not self.stack.workers.awake:
            self.stack.workers.start()
