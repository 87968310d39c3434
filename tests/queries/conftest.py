"""What tests of queries are given beside the reader."""

import pytest

from projections.engine.checkpoint import Connection
from tests.support.read_rows import ReadRows


@pytest.fixture
def rows(sql: Connection) -> ReadRows:
    """Puts rows straight into the empty read tables."""
    return ReadRows(sql)
