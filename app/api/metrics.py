"""Counts and times every request, writes its line into the access log, and shows it all to Prometheus at /metrics."""

import logging
import time
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
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.dependencies import ReadPool, Sources
from app.api.projection_metrics import ProjectionMetrics
from app.db import Pool
from app.queries.reader import Reader
from app.replicas.routing import Replicas

log = logging.getLogger("app.access")

router = APIRouter(tags=["operations"])

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CLOSED: Final = 499  # the client went away before the answer began
_LONGEST_PATH: Final = 200
_WATCHED: Final = ("/health/", "/metrics")  # asked every few seconds by machines


class Metrics:
    """The instruments of one app, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "inkfold_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "inkfold_http_request_seconds",
            "Time until a request was answered.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "inkfold_http_requests_in_progress", "Requests being answered.", registry=self.registry
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

    async def look(self, reader: Reader, pool: Pool, replicas: Replicas) -> None:
        """Bring the gauges up to date; without PostgreSQL, those of the projections go away."""
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
        status = _CLOSED

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            with self._metrics.in_progress.track_inprogress():
                await self._app(scope, receive, send_noting)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        log.log(
            logging.DEBUG if route.startswith(_WATCHED) else logging.INFO,
            "%s %s %d",
            method,
            scope["path"][:_LONGEST_PATH],
            status,
            extra={
                "fields": {
                    "method": method,
                    "path": scope["path"][:_LONGEST_PATH],
                    "route": route,
                    "status": status,
                    "milliseconds": round(seconds * 1000, 2),
                }
            },
        )


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
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
