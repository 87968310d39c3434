"""What every query owes: one statement, of read tables and checkpoints only."""

import re
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.db import Pool
from app.queries.get_post import GetPost
from app.queries.home_feed import HomeFeed
from app.queries.like_statistics import LikeStatistics
from app.queries.list_notifications import ListNotifications, Status
from app.queries.list_post_likes import ListPostLikes
from app.queries.list_posts import ListPosts, RankPosts
from app.queries.list_subscriptions import ListSubscribers, ListSubscriptions
from app.queries.periods import Granularity, Period
from app.queries.profiles import GetMe, GetProfile
from app.queries.query import Query
from app.queries.reader import Reader
from app.queries.top_posts import TopPosts
from projections.registry import PROJECTIONS
from tests.support.read_rows import ReadRows

ID = UUID(int=7)
MARCH = Period(first=date(2026, 3, 1), last=date(2026, 3, 31), zone=ZoneInfo("Asia/Kathmandu"))

QUERIES: list[Query[Any]] = [
    ListPosts(viewer_id=None, limit=20),
    ListPosts(viewer_id=ID, author_id=ID, limit=20),
    RankPosts(viewer_id=ID, limit=20),
    RankPosts(viewer_id=None, author_id=ID, limit=20),
    GetPost(post_id=ID, viewer_id=ID),
    ListPostLikes(post_id=ID, limit=20),
    ListSubscriptions(subscriber_id=ID, limit=20),
    ListSubscribers(user_id=ID, limit=20),
    GetProfile(user_id=ID),
    GetMe(user_id=ID),
    HomeFeed(viewer_id=ID, limit=20),
    ListNotifications(viewer_id=ID, limit=20),
    ListNotifications(viewer_id=ID, status=Status.ALL, limit=20),
    LikeStatistics(period=MARCH, granularity=Granularity.DAY),
    LikeStatistics(period=MARCH, granularity=Granularity.WEEK, author_id=ID),
    LikeStatistics(period=MARCH, granularity=Granularity.MONTH, author_id=ID, post_id=ID),
    TopPosts(),
]


class NotingReader(Reader):
    """A reader that also notes what it was asked."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, timeout_seconds=5)
        self.statements: list[str] = []

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        self.statements.append(sql)
        return await super().fetch(sql, *values)

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        self.statements.append(sql)
        return await super().fetchrow(sql, *values)


def tables(sql: str) -> set[str]:
    """The tables that a statement names, leaving out its own WITH queries and functions."""
    code = re.sub(r"--.*", "", sql)
    own = set(re.findall(r"(\w+) AS (?:MATERIALIZED )?\(", code))
    return set(re.findall(r"\b(?:FROM|JOIN)\s+([a-z]\w*)\b(?!\s*\()", code)) - own


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
async def test_a_query_is_one_statement_of_read_tables(query: Query[Any], rows: ReadRows, reader_pool: Pool) -> None:
    reader = NotingReader(reader_pool)
    await query.fetch(reader)
    await rows.profile("ada")
    await query.fetch(reader)
    assert len(reader.statements) == 2
    named = tables(reader.statements[0])
    assert named
    assert {name for name in named if not name.startswith("read_")} <= {"checkpoint"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
async def test_a_query_waits_for_the_projections_that_it_reads(
    query: Query[Any], rows: ReadRows, reader_pool: Pool
) -> None:
    reader = NotingReader(reader_pool)
    await rows.profile("ada")
    await query.fetch(reader)
    owner = {table.name: projection.name for projection in PROJECTIONS for table in projection.tables}
    needed = {owner[name] for name in tables(reader.statements[0]) if name in owner}
    assert needed <= set(query.reads)
    assert set(query.reads) <= {projection.name for projection in PROJECTIONS}
