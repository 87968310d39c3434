"""Reading lists as clients do, and saying how something differs from what it must be."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlencode

import httpx

from tests.soak.oracle import Json

#: GETs a path as one and the same reader.
Get: TypeAlias = Callable[[str], Coroutine[Any, Any, httpx.Response]]


class Asks(Protocol):
    """GETs a path as a user, or as nobody."""

    def __call__(self, path: str, user_id: str | None = None, /) -> Coroutine[Any, Any, httpx.Response]: ...


async def walk(get: Get, path: str, *, limit: int = 100, **parameters: str) -> tuple[list[Json], list[str]]:
    """Return all items of a list, page by page, and what is wrong with its total and its pages."""
    items: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await get(f"{path}?{urlencode({'limit': limit, **parameters, **cursor})}")).json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items, differ(f"The total of {path}", page["total"], len(items))
        if len(page["items"]) != limit:
            return items, [f"{path} has a page of {len(page['items'])} before the last."]
        cursor = {"cursor": page["next_cursor"]}


def differ(what: str, shown: object, expected: object) -> list[str]:
    """Return how they differ, in a sentence, or nothing."""
    return [] if shown == expected else [f"{what}: {shown} instead of {expected}"]


def without(items: list[Json], *names: str) -> list[Json]:
    """Leave out some fields."""
    return [{name: value for name, value in item.items() if name not in names} for item in items]
