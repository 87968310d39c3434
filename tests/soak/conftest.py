"""What these tests start are whole systems."""

from tests.support.untraced import untraced

__all__ = ["untraced"]
