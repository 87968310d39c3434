"""Statistics of standing likes over a period: a series without gaps, and the posts with the most likes in it.

Exact for every time zone. The cost follows from the days of the period, never from the number of likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final, TypedDict
from uuid import UUID

import asyncpg

from app.errors import InkfoldError, PostNotFound, Unavailable
from app.queries.like_ranges import series_ranges, top_ranges
from app.queries.like_statistics_sql import OF_ALL, OF_AUTHOR, OF_POST
from app.queries.page import Person
from app.queries.periods import Granularity, Period, buckets_of
from app.queries.reader import Reader

#: The projection's first version whose tables hold what the statements look for.
_VERSION: Final = 2
_EVERYBODY: Final = UUID(int=0)


class Point(TypedDict):
    """The likes of one bucket, named by its first day."""

    date: date
    likes: int


class LikedPost(TypedDict):
    """A post, and how many of its likes were given in the period."""

    id: UUID
    title: str
    author: Person
    likes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The series, its sum, and at most ten posts."""

    total: int
    series: list[Point]
    top_posts: list[LikedPost]


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeStatistics:
    """Statistics of all likes, of those for an author's posts, or of those for one post."""

    reads: ClassVar[tuple[str, ...]] = ("like_statistics", "posts")
    missing: ClassVar[type[InkfoldError]] = PostNotFound

    period: Period
    granularity: Granularity
    author_id: UUID | None = None
    post_id: UUID | None = None

    async def fetch(self, reader: Reader) -> Statistics:
        """Read them; an unknown author or post, or a post of another author, has zeros."""
        buckets = buckets_of(self.period, self.granularity)
        rows = await reader.fetch(*self._scoped(buckets.bounds))
        likes: dict[int, int] = {row["bucket"]: row["likes"] for row in rows if row["post_id"] is None}
        if likes.pop(0, _VERSION) < _VERSION:
            raise Unavailable("The statistics are being built anew for this release. Try again in a few minutes.")
        return Statistics(
            total=sum(likes.values()),
            series=[Point(date=day, likes=likes.get(n, 0)) for n, day in enumerate(buckets.days, start=1)],
            top_posts=[_liked_post(row) for row in rows if row["post_id"] is not None],
        )

    def _scoped(self, bounds: Sequence[datetime]) -> tuple[Any, ...]:
        """Return the statement for what is asked, and all its values."""
        series = series_ranges(bounds).values
        if self.post_id is not None:
            return OF_POST, self.post_id, *series, self.author_id
        top = top_ranges(bounds[0], bounds[-1], by_day=self.author_id is None)
        if self.author_id is not None:
            return OF_AUTHOR, self.author_id, *series, *top.values
        return OF_ALL, _EVERYBODY, *series, *top.values, top.listed_days


def _liked_post(row: asyncpg.Record) -> LikedPost:
    return LikedPost(
        id=row["post_id"],
        title=row["title"],
        author=Person(id=row["author_id"], username=row["author_username"]),
        likes=row["likes"],
    )
