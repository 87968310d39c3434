"""Keeps servers and programs running: what dies is started again, each time after a longer pause."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from app.embedded.errors import Interrupted, StartError
from app.embedded.process import end, spawn

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0
_HASTE_SECONDS = 1.0


class Service(Protocol):
    """What can be watched over: an embedded server, or a program."""

    @property
    def name(self) -> str:
        """How messages call it."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        ...

    def start(self) -> None:
        """Start it; raises StartError."""
        ...

    def stop(self) -> None:
        """Stop it orderly, and wait for it."""
        ...

    def hasten(self) -> None:
        """Cut short a stop that is under way; called from a signal handler."""
        ...


class Program:
    """One of our own programs, such as the API; it ends on SIGTERM within its patience or is killed."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        patience_seconds: float = 15,
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._patience_seconds = patience_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its process; 0 if it has not been started."""
        return self._process.pid if self._process else 0

    @property
    def end_of_it(self) -> str:
        """How the program ended, in words."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "is running" if self._process else "was not started"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def start(self) -> None:
        """Start the program, without waiting for it to be ready."""
        self._process = spawn(self._command, end_with=signal.SIGTERM, environment=self._environment)

    def ask_to_stop(self) -> None:
        """Tell the program to end, without waiting for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """Stop the program."""
        if self._process is not None:
            end(self._process, (signal.SIGTERM, self._patience_seconds))
            self._process = None

    def hasten(self) -> None:
        """Kill the program."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)


@dataclass
class _Watched:
    service: Service
    started: float
    pause_seconds: float = _FIRST_PAUSE_SECONDS
    due: float | None = None


@dataclass
class Supervisor:
    """Starts services, starts again those that die, and stops them in the opposite order."""

    say: Callable[[str], None]
    _watched: list[_Watched] = field(default_factory=list)

    def start(self, service: Service) -> None:
        """Start a service and watch over it from now on; raises StartError."""
        self._watched.append(_Watched(service, started=time.monotonic()))
        service.start()

    def look(self) -> None:
        """Start again what has died and whose pause is over; to be called a few times a second."""
        for watched in self._watched:
            now = time.monotonic()
            if watched.due is None:
                if not watched.service.alive:
                    self._found_dead(watched, now)
            elif now >= watched.due:
                self._start_again(watched, now)

    def stop(self) -> None:
        """Stop everything, the last started first."""
        while self._watched:
            self._watched[-1].service.stop()
            self._watched.pop()

    def hasten(self) -> None:
        """Cut short a stop that is under way."""
        for watched in self._watched:
            watched.service.hasten()

    def _found_dead(self, watched: _Watched, now: float) -> None:
        if now - watched.started > _HEALTHY_SECONDS:
            watched.pause_seconds = _FIRST_PAUSE_SECONDS
        watched.due = now + watched.pause_seconds
        manner = getattr(watched.service, "end_of_it", "ended")
        self.say(f"{watched.service.name} {manner}; starting it again in {watched.pause_seconds:g} s.")
        watched.pause_seconds = min(watched.pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def _start_again(self, watched: _Watched, now: float) -> None:
        watched.service.stop()  # whatever is left of it
        watched.started, watched.due = now, None
        try:
            watched.service.start()
        except StartError as error:
            self.say(str(error))
            watched.due = time.monotonic() + watched.pause_seconds
            watched.pause_seconds = min(watched.pause_seconds * 2, _LONGEST_PAUSE_SECONDS)


class StopSignals:
    """Ctrl-C and its like: the first asks to stop at the next pause, one a second later hastens that."""

    def __init__(self, hasten: Callable[[], None]) -> None:
        self._hasten = hasten
        self._first: float | None = None
        self._stopping = False

    def install(self) -> None:
        """Take over SIGINT and SIGTERM, and SIGHUP unless it is ignored (nohup)."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._receive)

    def pause(self, seconds: float) -> None:
        """Sleep; raises Interrupted if a stop has been asked for and is not under way yet."""
        if self._first is None:
            time.sleep(seconds)
        if self._first is not None and not self._stopping:
            raise Interrupted

    def stopping(self) -> None:
        """Say that the stop is under way, so that pauses within it are just pauses."""
        self._stopping = True

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
        elif now - self._first > _HASTE_SECONDS:
            self._hasten()
