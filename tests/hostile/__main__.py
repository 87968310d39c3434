"""The long run: `python -m tests.hostile --minutes 10`, or `make hostile MINUTES=10`. Exits 1 if it finds anything.

It starts a system of its own, sends it what schemathesis makes up, and verifies it. The seed printed repeats it.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
from rich.console import Console
from rich.live import Live

from tests.hostile.exploration import UNLIMITED, Effort, Findings, explore, of_url
from tests.hostile.known import known
from tests.support.people import PASSWORD, Person
from tests.support.running_system import RunningSystem, running_system

#: Who sends the requests.
_EXPLORER: Final = "explorer"
_LOGIN: Final = {"username": _EXPLORER, "password": PASSWORD}

#: No token is to run out on the way.
_SETTINGS: Final = {"ACCESS_TOKEN_SECONDS": "86400", "LOG_LEVEL": "error", **dict.fromkeys(UNLIMITED, "")}
#: A token that was ended on the way is replaced after this time.
_SIGN_IN_SECONDS: Final = 10


def main() -> int:
    """Explore until the minutes are over."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    arguments = parser.parse_args()
    seconds = max(1, round(60 * arguments.minutes))
    effort = Effort(seed=arguments.seed, examples=100, courses=100, steps=12, seconds=seconds)
    console = Console(highlight=False)
    findings = Findings()
    with (
        TemporaryDirectory(prefix="inkfold-") as folder,
        running_system(Path(folder), settings=_SETTINGS) as system,
        httpx.Client(base_url=system.url, timeout=60) as client,
    ):
        effort = replace(effort, known=asyncio.run(_inhabit(system.url)))
        with Live(get_renderable=findings.line, console=console, transient=True):
            explore(
                of_url(system.url, effort),
                sign_in=lambda: _sign_in(client),
                again_after=_SIGN_IN_SECONDS,
                findings=findings,
            )
        verified = _verified(system, console)
    for failure in findings.failures.values():
        console.print(f"{failure}\n", markup=False)
    if refused := sorted(findings.cases.keys() - findings.successes.keys()):
        console.print(f"Never succeeded: {', '.join(refused)}", soft_wrap=True)
    console.print(f"seed {arguments.seed}: {findings.line()}", soft_wrap=True)
    return 0 if verified and not findings.failures else 1


async def _inhabit(url: str) -> Mapping[str, Sequence[str]]:
    async with Person(base_url=url, timeout=60) as explorer, Person(base_url=url, timeout=60) as author:
        await explorer.sign_up(_EXPLORER)
        await author.sign_up("author")
        return await known(explorer, author)


def _sign_in(client: httpx.Client) -> str:
    answer = client.post("/auth/login/", json=_LOGIN)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _verified(system: RunningSystem, console: Console) -> bool:
    done = system.run(sys.executable, "-m", "app.cli", "projections", "verify")
    console.print(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr, markup=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
