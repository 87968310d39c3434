"""What hostile tests share with those of commands: the blog to act on."""

from tests.commands.conftest import blog, store

__all__ = ["blog", "store"]
