"""What the OpenAPI document says, tried on the whole API: good and bad requests, and courses of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from schemathesis.python.asgi import shutdown_lifespans

from app.main import create_app
from app.security.access_tokens import Principal
from app.settings import Settings
from projections.engine.checkpoint import Connection
from tests.hostile.exploration import UNLIMITED, Effort, Findings, explore, of_app
from tests.hostile.known import known
from tests.support.people import SignUp
from tests.support.worker_process import worker_process

EFFORT = Effort(seed=20_261_123, examples=12, courses=12, steps=6)

#: No answer is to be too late because other tests run beside this one.
PATIENCE_SECONDS = 60


@pytest.fixture
def explored(sql: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:  # noqa: ARG001 - emptied first
    for name in UNLIMITED:
        monkeypatch.setenv(name, "")
    yield create_app(Settings(consistency_wait_seconds=PATIENCE_SECONDS, pool_timeout_seconds=PATIENCE_SECONDS))
    shutdown_lifespans()


async def test_whatever_is_sent_the_answer_is_one_that_the_document_describes(
    explored: FastAPI, application: FastAPI, signed_up: SignUp
) -> None:
    reader, author = await signed_up("reader"), await signed_up("author")
    issue = application.state.access_tokens.issue
    findings = Findings()
    with worker_process():
        effort = replace(EFFORT, known=await known(reader, author))
        schema = await asyncio.to_thread(of_app, explored, effort)
        await asyncio.to_thread(
            explore,
            schema,
            sign_in=lambda: issue(Principal(id=reader.id, username=reader.username)),
            again_after=None,
            findings=findings,
        )

    assert "\n\n".join(findings.failures.values()) == ""
    assert not [status for status in findings.statuses if status >= 500]
    described = {
        f"{method.upper()} {path}"
        for path, operations in application.openapi()["paths"].items()
        for method in operations
    }
    assert described - findings.cases.keys() == set()
    assert described - findings.successes.keys() == set()
