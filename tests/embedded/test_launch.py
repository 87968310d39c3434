"""The launcher: the account it takes, and that nothing outlives the one who started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.embedded import launch, orphan
from app.embedded.account import _candidates

NOBODY = "65534"


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.embedded.launch", *arguments], capture_output=True, text=True, check=False
    )


def test_a_folder_closed_to_the_account_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o000)
    account = ("--account", NOBODY, NOBODY) if os.geteuid() == 0 else ()
    answer = launched(*account, f"--needs={closed / 'data'}", "--", sys.executable, "--version")
    assert answer.returncode == launch.CLOSED
    assert str(closed).startswith(answer.stdout)


def test_every_account_on_offer_can_be_taken_or_is_denied(tmp_path: Path) -> None:
    follow = ("--end-with", str(os.getpid()), str(int(signal.SIGTERM)))
    answers = [
        launched(*account.arguments, *follow, "--", "/no/such/program")
        for account in _candidates(tmp_path, root_allowed=False)
    ]
    assert answers
    for answer in answers:
        assert answer.returncode == launch.DENIED or "/no/such/program cannot be run" in answer.stderr


def test_a_path_that_is_not_there_yet_is_not_closed(tmp_path: Path) -> None:
    assert launch.closed_folder(tmp_path / "later" / "data") is None


def test_a_program_that_is_not_there_is_told_in_words() -> None:
    answer = launched("--", "/no/such/program")
    assert answer.returncode == 1
    assert answer.stderr == "/no/such/program cannot be run: No such file or directory\n"


def test_an_orphan_ends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    try:
        orphan._follow(parent=0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
    monkeypatch.setenv("INKFOLD_UP", str(os.getppid()))
    orphan.end_with_up()


def test_an_account_that_cannot_be_taken_is_told_by_the_exit_code() -> None:
    account = ("--account", "-1", "-1") if os.geteuid() == 0 else ("--account", "0", "0")
    assert launched(*account, "--", sys.executable).returncode in {launch.DENIED, 1}


if sys.platform == "linux":

    def test_a_program_ends_when_the_one_who_started_it_is_killed() -> None:
        code = (
            "import os, signal, sys; from app.embedded.process import spawn;"
            "command = [sys.executable, '-c', 'import time; time.sleep(600)'];"
            "print(spawn(command, end_with=signal.SIGTERM).pid, flush=True);"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode < 0
        psutil.wait_procs([psutil.Process(pid) for pid in map(int, done.stdout.split()) if psutil.pid_exists(pid)])
