"""Supervision: what dies is started again, and everything ends in the opposite order of its start."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.embedded.process import wait_until
from app.embedded.supervisor import Program, StopSignals, Supervisor

#: Says that it runs, and on SIGTERM writes its name; argument 3 makes it deaf to SIGTERM.
CODE = """
import pathlib, signal, sys, time
log, name, deaf = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
def leave(*_):
    with log.open("a") as file: file.write(f"{name} ends\\n")
    if not deaf: sys.exit()
signal.signal(signal.SIGTERM, leave)
with log.open("a") as file: file.write(f"{name} runs\\n")
while True: time.sleep(1)
"""


def program(log: Path, name: str, *more: str) -> Program:
    log.touch()
    command = (sys.executable, "-c", CODE, str(log), name, *more)
    return Program(name, command, environment=dict(os.environ), patience_seconds=600)


def said(log: Path, *lines: str) -> Callable[[], bool]:
    return lambda: log.read_text().splitlines() == list(lines)


def test_what_dies_is_started_again_and_said(tmp_path: Path) -> None:
    log, messages = tmp_path / "log", list[str]()
    supervisor = Supervisor(say=messages.append)
    worker = program(log, "worker")
    supervisor.start(worker)
    wait_until(said(log, "worker runs"), pause=time.sleep)
    worker.hasten()

    def looked() -> bool:
        supervisor.look()
        return said(log, "worker runs", "worker runs")()

    wait_until(looked, pause=time.sleep)
    assert messages == ["worker was ended by SIGKILL; starting it again in 0.5 s."]
    supervisor.stop()
    assert not worker.alive


def test_all_stop_in_the_opposite_order_of_their_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = Supervisor(say=print)
    supervisor.start(program(log, "worker"))
    wait_until(said(log, "worker runs"), pause=time.sleep)
    supervisor.start(program(log, "api"))
    wait_until(said(log, "worker runs", "api runs"), pause=time.sleep)
    supervisor.stop()
    assert said(log, "worker runs", "api runs", "api ends", "worker ends")()


def test_haste_ends_a_program_that_does_not_want_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = Supervisor(say=print)
    deaf = program(log, "deaf", "deaf")
    supervisor.start(deaf)
    wait_until(said(log, "deaf runs"), pause=time.sleep)
    os.kill(deaf.pid, signal.SIGTERM)
    wait_until(said(log, "deaf runs", "deaf ends"), pause=time.sleep)
    assert deaf.alive
    supervisor.hasten()
    supervisor.stop()
    assert not deaf.alive


def test_a_signal_sent_twice_at_once_does_not_hasten() -> None:
    hastened: list[bool] = []
    signals = StopSignals(hasten=lambda: hastened.append(True))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signals.install()
        signals.stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        signals.pause(0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert not hastened
