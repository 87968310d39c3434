"""What an operator does meanwhile, by the command line: verify, repair, pause, resume, rebuild, prune."""

import signal
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Final, Literal, TypeAlias

import orjson

from projections.registry import PROJECTIONS
from tests.soak.background import PATIENCE_SECONDS
from tests.soak.oracle import Json
from tests.soak.spoiling import Spoilt
from tests.soak.stack import Stack
from tests.soak.tally import Difference

NAMES = tuple(projection.name for projection in PROJECTIONS)

#: How a rebuild ends: by itself, or because somebody ends it; it may have been quicker than that.
End: TypeAlias = Literal["whole", "killed", "interrupted"]
ENDS: Final[tuple[End, ...]] = ("whole", "killed", "interrupted")

_SIGNALS: Final = {"killed": signal.SIGKILL, "interrupted": signal.SIGINT}
_CODES: Final[dict[End, set[int]]] = {
    "whole": {0},
    "killed": {0, -signal.SIGKILL},
    "interrupted": {0, 130, -signal.SIGINT},
}
_BUILDING: Final = (
    "pg_stat_activity WHERE application_name = 'inkfold-building' AND backend_start > $1::text::timestamptz"
)
_REFUSALS: Final = ("is rebuilding", "an interrupted rebuild is still at work")


class Upkeep:
    """Runs the commands of `inkfold projections`."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._paused: list[str] = []

    def verify(self, *options: str) -> list[tuple[str, Json]]:
        """Return the tables and rows that differ; raises Difference if anything could not be verified."""
        done = self._stack.inkfold("projections", "verify", "--json", *options)
        self._stack.tally.verifies += 1
        if not done.stdout.startswith("{"):
            raise Difference(f"verify ended with {done.exit_code}: {done.output}") from done.exception
        report = orjson.loads(done.stdout)
        if report["unverified"]:
            raise Difference(f"Not verified: {report['unverified']}")
        return [
            (table["table"], difference)
            for projection in report["projections"]
            for table in projection["tables"]
            for difference in table["differences"]
        ]

    def mend(self, spoilt: list[Spoilt]) -> None:
        """Verify and repair: the spoilt rows are found and no others, and then none."""
        found = self.verify("--repair")
        unlike = [each for each in found if not any(row.is_meant_by(*each) for row in spoilt)]
        if unlike or len(found) != len(spoilt):
            raise Difference(f"verify found {found}, while these are spoilt: {spoilt}")
        if left := self.verify():
            raise Difference(f"After the repair of {spoilt}, verify found {left}")
        self._stack.tally.mended += len(spoilt)

    def pause(self, name: str) -> None:
        """Let a projection stand still, if it is built."""
        if self._stack.inkfold("projections", "pause", name).exit_code == 0:
            self._paused.append(name)

    def resume(self) -> None:
        """Let all go on that stand still."""
        while self._paused:
            done = self._stack.inkfold("projections", "resume", self._paused.pop())
            if done.exit_code != 0:
                raise Difference(f"resume ended with {done.exit_code}: {done.output}") from done.exception

    def prune(self) -> None:
        """Drop all events that every projection has folded."""
        done = self._stack.inkfold("projections", "prune", "--older-than", "0")
        if done.exit_code != 0:
            raise Difference(f"prune ended with {done.exit_code}: {done.output}") from done.exception

    def rebuild(self, name: str, end: End, meanwhile: Callable[[], None], *, may_fail: bool) -> None:
        """Rebuild one projection or `--all` in a process of its own while something happens, and end it so."""
        before = self._stack.sql("SELECT clock_timestamp()::text AS now")[0]["now"]
        with TemporaryFile() as output:
            process = self._stack.start_inkfold("projections", "rebuild", name, output=output)
            begun = lambda: process.poll() is not None or bool(self._stack.look(_BUILDING, before))  # noqa: E731
            self._stack.wait_until("rebuilding", begun, "SELECT query, wait_event FROM pg_stat_activity")
            meanwhile()
            if end != "whole":
                process.send_signal(_SIGNALS[end])
            code = process.wait(PATIENCE_SECONDS)
            output.seek(0)
            said = output.read().decode()
        self._stack.tally.note(f"rebuild {name} ended with {code}: {said.strip()[-200:]}")
        refused = code == 1 and (may_fail or any(sentence in said for sentence in _REFUSALS))
        crashed = "Traceback" in said and "KeyboardInterrupt" not in said
        if crashed or not (refused or code in _CODES[end]):
            raise Difference(f"rebuild {name}, {end}, ended with {code}: {said}")
        self._stack.tally.rebuilds["refused" if refused else "whole" if code == 0 else end] += 1
