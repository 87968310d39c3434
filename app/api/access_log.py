"""The access log: one JSON line a request on standard error, written many at once.

app.api.metrics has it written. Never a header, a query string or a body: tokens stand there.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

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
            sys.stderr.write("".join(lines))
            sys.stderr.flush()


def _line(request: Answered) -> str:
    at = f"{_second(int(request.at))}.{int(request.at % 1 * 1000):03d}+00:00"
    level = "debug" if request.route.startswith(_WATCHED) else "info"
    path, status = _escaped(request.path[:_LONGEST_PATH]), request.status
    return (
        f'{{"at":"{at}","level":"{level}","logger":"app.access","message":"{request.method} {path} {status}",'
        f'"request_id":"{request.request_id}","method":"{request.method}","path":"{path}",'
        f'"route":"{request.route}","status":{status},"milliseconds":{request.seconds * 1000:.2f}}}\n'
    )


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


@lru_cache(maxsize=1024)
def _escaped(path: str) -> str:
    """Return the path as it stands between the quotes of a JSON string."""
    return orjson.dumps(path.encode("utf-8", "replace").decode()).decode()[1:-1]
