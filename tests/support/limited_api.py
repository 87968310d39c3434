"""The API with rate limits of a test's own, and clients of it that come from anywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from app.main import Api, create_app
from app.settings import Settings


@asynccontextmanager
async def limited_api(config: Settings, **rates: str) -> AsyncIterator[Api]:
    """Serve with these rates, by their names without `rate_limit_`; whatever is not named is unlimited."""
    app = create_app(config.model_copy(update={f"rate_limit_{name}": rate for name, rate in rates.items()}))
    async with app.router.lifespan_context(app):
        yield app


def client_from(app: FastAPI, host: str, **headers: str) -> httpx.AsyncClient:
    """Return a client whose connections come from that address."""
    transport = httpx.ASGITransport(app=app, client=(host, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://inkfold.test", headers=headers)
