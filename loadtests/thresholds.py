"""Watches a load test's limits: ends a run that did not keep to them with exit code 1, and says why. For locustfile.py.

It also adds `--weights` and the limits to Locust's command line. It imports nothing of the application.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import gevent
import requests
from locust import events

from loadtests.limits import Limits, Requests, complaints, weigh, weights

_LOOK_SECONDS: Final = 0.25
_PATIENCE_SECONDS: Final = 10.0


@dataclass(slots=True)
class Lag:
    """The longest that an event was seen to wait; nothing while readiness could not be asked."""

    seconds: float | None = None

    def watch(self, host: str) -> None:
        """Look again and again, until killed."""
        while True:
            self.look(host)
            time.sleep(_LOOK_SECONDS)

    def look(self, host: str) -> None:
        """Ask how far behind each projection is; keep the most."""
        try:
            answer = requests.get(f"{host}/health/ready", timeout=_PATIENCE_SECONDS).json()
            behind = [each["seconds_behind"] or 0.0 for each in answer["projections"]]
        except (OSError, ValueError, KeyError):
            return
        self.seconds = max([self.seconds or 0.0, *behind])


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: Any) -> None:
    """Add the limits and the weights to the command line."""
    group = parser.add_argument_group("Inkfold")
    group.add_argument("--weights", type=weights, default={}, help="who comes how often: Reader=70,Liker=20")
    group.add_argument("--most-p95", type=float, default=500.0, help="ms that 95 %% of each kind of request may take")
    group.add_argument("--most-errors", type=float, default=0.0, help="per cent of the requests that may fail")
    group.add_argument("--most-lag", type=float, default=1.0, help="seconds that a projection may be behind")


@events.init.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Any, **_: Any) -> None:
    """Weigh the users; where this process judges, have the lag watched while the test runs."""
    options = environment.parsed_options
    environment.user_classes = weigh(environment.user_classes, options.weights)
    if options.worker:
        return
    lag = Lag()
    watching: list[Any] = []

    def begin(**_: Any) -> None:
        watching.append(gevent.spawn(lag.watch, environment.host))

    def end(**_: Any) -> None:
        gevent.killall(watching)

    def judge(**_: Any) -> None:
        limits = Limits(p95_ms=options.most_p95, errors_percent=options.most_errors, lag_seconds=options.most_lag)
        found = list(
            complaints(_requests(environment.stats), limits, lag=lag.seconds, broken=_broken(environment.runner))
        )
        for complaint in found:
            print(f"FAILED: {complaint}", flush=True)  # noqa: T201 - what the run is for
        environment.process_exit_code = int(bool(found))

    environment.events.test_start.add_listener(begin)
    environment.events.test_stop.add_listener(end)
    environment.events.quitting.add_listener(judge)


def _broken(runner: Any) -> int:
    return sum(each["count"] for each in runner.exceptions.values())


def _requests(stats: Any) -> list[Requests]:
    return [
        Requests(
            name=f"{entry.method} {entry.name}",
            sent=entry.num_requests,
            failed=entry.num_failures,
            p95_ms=entry.get_response_time_percentile(0.95),
        )
        for entry in stats.entries.values()
    ]
