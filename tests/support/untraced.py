"""Programs without coverage, for tests of whole systems: traced they take half as long again.

What such a system runs is covered piece by piece by the other tests.
"""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def untraced() -> Iterator[None]:
    """Start programs that coverage does not follow."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield
