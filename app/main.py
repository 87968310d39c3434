"""Puts the API together: the middleware from outside in, the routes, and what app.api.services opens for them.

`uvicorn app.main:create_app --factory`, `inkfold api` and the tests call create_app. Nothing happens on import.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send

from app.api import (
    analytics,
    auth,
    feed,
    index,
    likes,
    likes_commands,
    notifications,
    notifications_commands,
    posts,
    posts_commands,
    problem_kinds,
    subscriptions_commands,
    top,
    users,
)
from app.api.docs import mount_docs
from app.api.frame.access_log import AccessLog
from app.api.frame.body_limit import BodyLimit
from app.api.frame.cors import Cors
from app.api.frame.error_handlers import LastResort, install_error_handlers
from app.api.frame.head_limit import HeadLimit
from app.api.frame.password_queue import PasswordQueue
from app.api.frame.paths import HeadRequests, TrailingSlashes
from app.api.frame.rate_limits import RateLimiting
from app.api.frame.representations import Represented
from app.api.frame.request_ids import RequestIds, about_request
from app.api.frame.security_headers import SecurityHeaders
from app.api.lane.lane import FastLane
from app.api.openapi import DESCRIPTION, SUMMARY, TAGS, describe_api
from app.api.operations import health, metrics
from app.api.services import open_services
from app.logs import log_to_stderr
from app.settings import Settings
from app.settings import settings as environment_settings
from app.version import release

#: In the order in which a request is compared with them: `top` before the ids of posts, and what is asked often first.
_ROUTERS = (
    top.router,
    posts.router,
    posts_commands.router,
    likes_commands.router,
    likes.router,
    feed.router,
    notifications.router,
    notifications_commands.router,
    users.router,
    subscriptions_commands.router,
    analytics.router,
    auth.router,
    problem_kinds.router,
    health.router,
    metrics.router,
    index.router,
)


class Api(FastAPI):
    """FastAPI, and ahead of it, while the app serves, the fast lane: FastAPI alone takes longer than a hot read."""

    lane: FastLane | None = None
    #: What the lane's answers tell browsers; FastAPI's have it from the middleware.
    cors: Cors | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.lane is None or not await self.lane.answer(scope, self._telling(scope, send)):
            await super().__call__(scope, receive, send)

    def _telling(self, scope: Scope, send: Send) -> Send:
        return send if self.cors is None or scope["type"] != "http" else self.cors.telling(scope, send)


def create_app(config: Settings | None = None) -> Api:
    """Return the API, configured by `config` or else by the environment; it connects when its lifespan begins."""
    config = config or environment_settings()
    log_to_stderr(config.log_level, about=about_request)
    instruments = metrics.Metrics(AccessLog(config.log_level))
    app = Api(
        title="Inkfold",
        version=release(),
        summary=SUMMARY,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        openapi_url="/openapi.json" if config.docs_enabled else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestIds),
            Middleware(SecurityHeaders),
            Middleware(metrics.Observed, metrics=instruments),
            *([Middleware(Cors, origins=config.cors_origins)] if config.cors_origins else []),
            Middleware(LastResort),
            Middleware(TrailingSlashes),
            Middleware(HeadRequests),
            Middleware(HeadLimit),
            Middleware(BodyLimit, most_bytes=config.body_limit_bytes),
            Middleware(PasswordQueue),
            Middleware(RateLimiting),
            Middleware(Represented),
        ],
    )
    if config.cors_origins:
        app.cors = Cors(app, origins=config.cors_origins)
    app.state.settings = config
    app.state.metrics = instruments
    install_error_handlers(app)
    for router in _ROUTERS:
        # Not include_router: FastAPI would compare each request twice with every router, which takes some 0.2 ms.
        app.router.routes.extend(router.routes)
    if config.docs_enabled:
        describe_api(app)
        mount_docs(app)
    return app


@asynccontextmanager
async def _lifespan(app: Api) -> AsyncIterator[None]:
    async with open_services(app.state) as lane:
        app.lane = lane
        yield
