"""Reading statistics of likes over HTTP."""

import re
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BeforeValidator
from starlette.responses import Response

from app.api.answers import json_answer
from app.api.dependencies import Reads
from app.api.frame.problems import problems
from app.api.pagination import OnceEach
from app.api.schemas_read import LikeStatistics as LikeStatisticsAnswer
from app.errors import InvalidInput, ProjectionLagging
from app.queries.like_statistics import LikeStatistics
from app.queries.periods import Granularity, period_of

router = APIRouter(prefix="/analytics", tags=["analytics"], dependencies=[OnceEach])

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _calendar_date(value: object) -> object:
    """Refuse the other things that pydantic takes for a date, such as seconds since 1970."""
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise ValueError("This must be a date such as 2026-03-01.")
    return value


Day = Annotated[date | None, BeforeValidator(_calendar_date)]


@router.get(
    "/likes/",
    summary="Read statistics of likes",
    response_model=LikeStatisticsAnswer,
    responses=problems(InvalidInput, ProjectionLagging),
)
async def like_statistics(
    reads: Reads,
    *,
    first: Annotated[Day, Query(alias="from", description="First day; if left out, 29 days before the last")] = None,
    last: Annotated[Day, Query(alias="to", description="Last day, included; if left out, today")] = None,
    granularity: Annotated[Granularity, Query(description="What a point of the series spans")] = Granularity.DAY,
    tz: Annotated[
        str, Query(max_length=64, description="IANA time zone whose days are meant", examples=["Europe/Berlin"])
    ] = "UTC",
    author_id: Annotated[UUID | None, Query(description="Only likes for posts of this author")] = None,
    post_id: Annotated[UUID | None, Query(description="Only likes for this post")] = None,
) -> Response:
    """Count the likes that stand, by when they were given: over a period of ten years at most, zeros included.

    A week begins on Monday. The first and the last point span only what the period has of their week or month.
    A post or author that isn't there counts zero.
    """
    period = period_of(first, last, tz=tz, now=datetime.now(UTC))
    query = LikeStatistics(period=period, granularity=granularity, author_id=author_id, post_id=post_id)
    found = await reads.answer(query)
    body = {
        "from": period.first,
        "to": period.last,
        "tz": tz,
        "granularity": granularity,
        "total": found.total,
        "series": found.series,
        "top_posts": found.top_posts,
    }
    return json_answer(body, headers=reads.headers)
