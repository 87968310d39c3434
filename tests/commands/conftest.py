"""What the tests of commands share: the blog to act on, and the store of a worker beside it."""

import pytest

from app.command_store import CommandStore
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.blog import Blog


@pytest.fixture
def store(projector: Projector) -> CommandStore:
    return projector.store


@pytest.fixture
def blog(sql: Connection, store: CommandStore) -> Blog:
    return Blog(store, sql)
