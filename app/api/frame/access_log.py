"""The access log: one JSON line a request on standard error, written many at once.

app.api.operations.metrics has it written. Never a header, a query string or a body: tokens stand there.
"""

import contextlib
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from app.logs import blotted

_LONGEST_PATH: Final = 200
_WATCHED: Final = ("/health/", "/metrics")  # asked every few seconds by machines


class Answered(NamedTuple):
    """A request that was answered at `at`, in seconds since 1970; `route` is the path as it is declared.

    `request_id` and `method` are ours, or were checked to be harmless.
    """

    at: float
    request_id: str
    method: str
    path: str
    route: str
    status: int
    seconds: float


class AccessLog:
    """Writes at level info; requests of those who watch, at level debug."""

    def __init__(self, level: str) -> None:
        self._ordinary = level in {"debug", "info"}
        self._watched = level == "debug"

    def write(self, requests: Iterable[Answered]) -> None:
        """Write a line for each, unless they are not to be logged."""
        lines = [
            _line(request)
            for request in requests
            if (self._watched if request.route.startswith(_WATCHED) else self._ordinary)
        ]
        if lines:
            with contextlib.suppress(OSError):  # nobody reads it any more, which is no reason not to answer
                sys.stderr.write("".join(lines))
                sys.stderr.flush()


def _line(request: Answered) -> str:
    at, id_, method, path, route, status, seconds = request
    before_id, after_id = _halves(method, path[:_LONGEST_PATH], route, status)
    return f"{_second(int(at))}.{int(at % 1 * 1000):03d}{before_id}{id_}{after_id}{seconds * 1000:.2f}}}\n"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return '{"at":"' + datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


@lru_cache(maxsize=1024)
def _halves(method: str, path: str, route: str, status: int) -> tuple[str, str]:
    """Return what stands between the time and the request's id, and between that and how long it took."""
    level = "debug" if route.startswith(_WATCHED) else "info"
    shown = json.dumps(blotted(path))[1:-1]  # all but printable ASCII is escaped; between quotes already
    return (
        f'+00:00","level":"{level}","logger":"app.access","message":"{method} {shown} {status}","request_id":"',
        f'","method":"{method}","path":"{shown}","route":"{route}","status":{status},"milliseconds":',
    )
