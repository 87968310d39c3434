"""Counts and times every request, writes its line into the access log, and shows it all to Prometheus at /metrics."""

import asyncio
import time
from bisect import bisect_left
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.dependencies import ReadPool, Sources
from app.api.frame.access_log import AccessLog, Answered
from app.api.frame.request_ids import request_id
from app.api.operations.projection_metrics import ProjectionMetrics
from app.api.operations.shared_metrics import exposition
from app.db import Pool
from app.queries.reader import Reader
from app.replicas.routing import Replicas

router = APIRouter(tags=["operations"])

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FLUSH_SECONDS: Final = 0.1
#: The status of a request whose client went away, or that was cancelled, before the answer began.
CLOSED: Final = 499


class _Times(Histogram):
    """Takes many observations at once: one by one takes a good part of the time of an answer out of memory."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe each of them."""
        self._sum.inc(sum(amounts))
        for bucket, number in Counts(bisect_left(self._upper_bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(number)


class Metrics:
    """The instruments of one app, in a registry of their own."""

    def __init__(self, access_log: AccessLog) -> None:
        self.access_log = access_log
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "inkfold_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = _Times(
            "inkfold_http_request_seconds",
            "Time until a request was answered.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "inkfold_http_requests_in_progress",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.projections = ProjectionMetrics(self.registry)
        self.pool = Gauge(
            "inkfold_query_pool_connections",
            "Connections for queries.",
            ("state",),
            registry=self.registry,
        )
        self.replica_answers = Gauge(
            "inkfold_replica_answers",
            "1 while queries are sent to the replica, numbered as in READ_DATABASE_URL.",
            ("replica",),
            registry=self.registry,
        )
        self.replica_seconds_behind = Gauge(
            "inkfold_replica_seconds_behind",
            "How old what the replica shows may be.",
            ("replica",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

        #: How many requests are being answered.
        self.answering = 0
        self._noted: list[Answered] = []

    def note(self, answered: Answered) -> None:
        """Have a request that was answered counted, timed and logged a moment later, with others."""
        if not self._noted:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        self._noted.append(answered)

    def flush(self) -> None:
        """Count, time and log what was noted."""
        noted, self._noted = self._noted, []
        self.in_progress.set(self.answering)
        alike: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
        for _, _, method, _, route, status, seconds in noted:
            alike[method, route, status].append(seconds)
        for (method, route, status), times in alike.items():
            self.requests.labels(method, route, str(status)).inc(len(times))
            self.seconds.labels(method, route).observe_all(times)
        self.access_log.write(noted)

    async def look(self, reader: Reader, pool: Pool, replicas: Replicas) -> None:
        """Bring the gauges up to date; without PostgreSQL, those of the projections go away."""
        self.flush()
        for replica in replicas.standings():
            self.replica_answers.labels(str(replica.number)).set(replica.reason is None)
            self.replica_seconds_behind.labels(str(replica.number)).set(replica.seconds_behind)
        idle = pool.get_idle_size()
        self.pool.labels("idle").set(idle)
        self.pool.labels("used").set(pool.get_size() - idle)
        await self.projections.look(reader)


class Observed:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = CLOSED

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        self._metrics.answering += 1
        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._metrics.answering -= 1
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.note(Answered(time.time(), request_id(), method, scope["path"], route, status, seconds))


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'inkfold_projection_behind{projection="posts"} 0.0',
                }
            }
        }
    },
)
async def show_metrics(request: Request, reader: ReadPool, sources: Sources) -> Response:
    """Show requests, projections, connections and the process in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    await metrics.look(reader, request.app.state.query_pool, sources)
    return Response(exposition(metrics.registry), media_type=CONTENT_TYPE_LATEST)
