"""Processor time and memory of the system's processes, in groups, and what others on this machine took meanwhile."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil

#: Groups by what a direct child of `inkfold up` has in its command line.
_GROUPS: Final = {"postgres": "postgresql", "redis": "redis", "api": "api", "worker": "worker"}
_MEGABYTE: Final = 1_000_000


@dataclass(slots=True)
class Spent:
    """Processor seconds of a stretch of time: by group, and of everybody else as a share of all processors."""

    groups: dict[str, float] = field(default_factory=dict)
    others: float = 0.0

    def per_request(self, requests: int) -> dict[str, float]:
        """Return microseconds per request, by group."""
        return {group: seconds / max(requests, 1) * 1_000_000 for group, seconds in self.groups.items()}


class Processes:
    """The processes of an `inkfold up`, by its number, and programs added by hand."""

    def __init__(self, up: int) -> None:
        self._up = psutil.Process(up)
        self.added: dict[str, int] = {}

    def groups(self) -> Mapping[str, list[psutil.Process]]:
        """Return who belongs to which group now."""
        found: dict[str, list[psutil.Process]] = {group: [] for group in _GROUPS.values()}
        for child in self._up.children():
            with contextlib.suppress(psutil.Error):
                found.setdefault(group_of(child.cmdline()), []).extend([child, *child.children(recursive=True)])
        for group, pid in self.added.items():
            with contextlib.suppress(psutil.Error):
                program = psutil.Process(pid)
                found.setdefault(group, []).extend([program, *program.children(recursive=True)])
        return found

    def megabytes(self) -> dict[str, float]:
        """Return the resident memory of the largest process of each group of ours, in MB."""
        sizes: dict[str, float] = {}
        for group in ("api", "worker"):
            for process in self.groups()[group]:
                with contextlib.suppress(psutil.Error):
                    sizes[group] = max(sizes.get(group, 0.0), process.memory_info().rss / _MEGABYTE)
        return sizes

    @contextlib.contextmanager
    def spending(self) -> Iterator[Spent]:
        """Yield what is filled in with the processor time of the block, when that ends."""
        spent, groups, all_, own, began = Spent(), self._seconds(), busy_seconds(), tree_seconds(), time.monotonic()
        yield spent
        seconds = time.monotonic() - began
        others = (busy_seconds() - all_) - (tree_seconds() - own)
        spent.groups = {group: now - groups.get(group, 0.0) for group, now in self._seconds().items()}
        spent.others = max(others, 0.0) / seconds / (psutil.cpu_count() or 1)

    def _seconds(self) -> dict[str, float]:
        seconds: defaultdict[str, float] = defaultdict(float)
        for group, processes in self.groups().items():
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    seconds[group] += used(process)
        return seconds


def group_of(command: list[str]) -> str:
    """Return the group of a child of `inkfold up`, by its command line."""
    program, last = (command[0], command[-1]) if command else ("", "")
    return next(
        (group for word, group in _GROUPS.items() if last == word or word in program.rpartition("/")[2]), "other"
    )


def used(process: psutil.Process) -> float:
    """Return the processor seconds of a process and of its children that have ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def tree_seconds() -> float:
    """Return the processor seconds of this process and of all that it has started, ended ones included."""
    here = psutil.Process()
    seconds = used(here)
    for child in here.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            seconds += used(child)
    return seconds


def busy_seconds() -> float:
    """Return the seconds that this machine's processors have worked, or were taken from it by its host."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - counted_twice)
