"""What the tests of attacks share with those of projections: a blog that runs commands. They attack whole systems."""

from tests.projections.conftest import blog
from tests.support.untraced import untraced

__all__ = ["blog", "untraced"]
