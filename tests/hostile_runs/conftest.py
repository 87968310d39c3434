"""What the tests of attacks share with those of projections: a blog that runs commands."""

from tests.projections.conftest import blog

__all__ = ["blog"]
