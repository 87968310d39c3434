"""The metrics of several API processes on one port as one: whichever is asked answers for all.

`app.serving` gives them a folder in the environment variable of prometheus_client's multiprocess mode.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

#: What adds up. Everything else is of the whole system, and read from the database by whoever is asked.
_ADDED_UP: Final = frozenset(
    {"inkfold_http_requests", "inkfold_http_request_seconds", "inkfold_http_requests_in_progress"}
)
#: What is only of the process that is asked, and means nothing to one who doesn't know which that is.
_OWN: Final = ("process_", "python_", "inkfold_query_pool_")


def exposition(registry: CollectorRegistry) -> bytes:
    """Return Prometheus' text format: of this process, or of all that share its port."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return generate_latest(_Together(registry, folder) if folder else registry)


class _Together(CollectorRegistry):
    def __init__(self, registry: CollectorRegistry, folder: str) -> None:
        super().__init__()
        self._one = registry
        self._all = MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        together: Iterable[Metric] = self._all.collect()  # type: ignore[no-untyped-call]
        yield from (metric for metric in together if metric.name in _ADDED_UP)
        for metric in self._one.collect():
            if metric.name not in _ADDED_UP and not metric.name.startswith(_OWN):
                yield metric
