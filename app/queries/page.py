"""A page of a list, made of one statement's rows: the total and the page are of the same snapshot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar
from uuid import UUID

import asyncpg

from app.queries.cursors import Keyset

T = TypeVar("T")


class Person(TypedDict):
    """A user as other screens show one."""

    id: UUID
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some items of a list, the cursor of the next ones, and how many there are in all."""

    items: list[T]
    next_cursor: str | None
    total: int


def page_of(
    rows: Sequence[asyncpg.Record],
    item: Callable[[asyncpg.Record], T],
    *,
    limit: int,
    keyset: Keyset[Any],
    position: tuple[str, str],
) -> Page[T]:
    """Make a page of rows that hold `total` and the columns `position`, whose second is NULL when no item is left.

    The statement asks for one row more than `limit`, which tells whether there is a next page.
    """
    key, identifier = position
    found = [row for row in rows if row[identifier] is not None]
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[item(row) for row in shown],
        next_cursor=keyset.encode(shown[-1][key], shown[-1][identifier]) if more else None,
        total=rows[0]["total"],
    )
