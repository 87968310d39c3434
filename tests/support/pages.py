"""Walks through a list page by page, for tests of queries."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from app.queries.page import Page
from app.queries.reader import Reader


async def walk(reader: Reader, query: Callable[..., Any]) -> list[Page[Any]]:
    """Return every page, from the first to the last."""
    pages = [await query().fetch(reader)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(await query(cursor=cursor).fetch(reader))
        assert len(pages) < 500
    return pages


def ids(pages: list[Page[Any]]) -> list[UUID]:
    """Return the ids of all items, in their order."""
    return [item["id"] for page in pages for item in page.items]
