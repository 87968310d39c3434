"""How each of these programs runs and ends: on a system of its own, a summary, FAILED where its claim doesn't hold."""

import argparse
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn, Protocol

import uvloop

from loadtests.engine.display import OUT
from loadtests.hostile.system import Attacked, attacked, raise_open_files
from projections.cli.progress import progress
from projections.engine.report import Report

_LOGS: Final = Path("build/hostile")
#: Beside the connections of clients: what a Python program and its servers have open.
_OTHER_FILES: Final = 200


class Findings(Protocol):
    """What an attack came to."""

    @property
    def lines(self) -> Sequence[str]:
        """The summary."""
        ...

    @property
    def failures(self) -> Sequence[str]:
        """What was not as it must be, in sentences."""
        ...


def conclude(findings: Findings) -> int:
    """Print the summary; return the exit code."""
    for line in findings.lines:
        OUT.print(line)
    for failure in findings.failures:
        OUT.print(f"FAILED: {failure}")
    return 1 if findings.failures else 0


def run_attack(
    name: str,
    parser: argparse.ArgumentParser,
    attack: Callable[[Attacked, argparse.Namespace, Report], Awaitable[Findings]],
    *,
    connections: Callable[[argparse.Namespace], int] = lambda _: 0,
) -> NoReturn:
    """Run an attack as the command line says, on a system of its own; ends this process."""
    parser.add_argument("--log", type=Path, default=_LOGS / f"{name}.log", help="where the system's log is kept")
    parser.add_argument(
        "--open-files", type=int, help="files that the system's programs may have open; as many as you, if not given"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    async def run(system: Attacked) -> Findings:
        with progress() as report:
            return await attack(system, arguments, report)

    try:
        with attacked(log=arguments.log, open_files=arguments.open_files) as system:
            raise_open_files(connections(arguments) + _OTHER_FILES)
            code = conclude(uvloop.run(run(system)))
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)
