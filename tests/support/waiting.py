"""Waiting for what happens in other processes: until it is so, and not for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_SECONDS = 60
_LOOK_SECONDS = 0.005


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """Look until there is something, and return it."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (found := await look()):
            await asyncio.sleep(_LOOK_SECONDS)
    return found
