"""Counters are updated in place (HOT): no index has them, and each page has room for a row's next version."""

from typing import Final

from loadtests.engine.hot import Updates, updates
from projections.engine.checkpoint import Connection
from projections.engine.step import step
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.notification_rows import followed_by

#: Of a page that another session happens to look at, old versions may stay for a while.
_IN_PLACE: Final = 0.9
_FANS: Final = 30
_POSTS: Final = 4


async def test_counters_of_likes_are_updated_in_place(blog: Blog, stepping: Connection, cluster: int) -> None:
    fans = await blog.users(_FANS)
    posts = [await blog.post(fans[0], content="What everybody likes. " * 50) for _ in range(_POSTS)]
    await step(stepping, PROJECTIONS, system_identifier=cluster, limit=1_000)
    before = await reported(blog.sql, stepping)
    for fan in fans:
        for post in posts:
            await blog.like(post, fan)
        await step(stepping, PROJECTIONS, system_identifier=cluster, limit=1_000)
    made = since(before, await reported(blog.sql, stepping))
    assert made["read_post"].updated >= _FANS * _POSTS
    assert made["read_profile"].updated >= _FANS
    require_in_place(made, "read_post", "read_profile")


async def test_counters_of_notifications_are_updated_in_place(blog: Blog, stepping: Connection, cluster: int) -> None:
    ada = await blog.user("ada")
    followers = await followed_by(blog, ada, _FANS)
    before = await reported(blog.sql, stepping)
    for _ in range(1 + _POSTS):
        await blog.post(ada)
        while await blog.announce():
            await step(stepping, PROJECTIONS, system_identifier=cluster, limit=1_000)
    made = since(before, await reported(blog.sql, stepping))
    assert made["read_notification_count"].updated >= len(followers) * _POSTS
    require_in_place(made, "read_notification_count", "read_post_total")


async def test_the_counts_of_a_whole_page_change_in_place_at_once(sql: Connection, connect: Connect) -> None:
    count = await connect()
    before = await reported(sql, count)
    await count.execute(
        "INSERT INTO read_notification_count SELECT gen_random_uuid(), 1, 1 FROM generate_series(1, 5000)"
    )
    for _ in range(3):
        await count.execute("UPDATE read_notification_count SET total = total + 1")
    made = since(before, await reported(sql, count))
    assert made["read_notification_count"].updated >= 15_000
    require_in_place(made, "read_notification_count")


async def test_no_index_has_a_counter_that_changes_with_each_like_but_the_ranking(sql: Connection) -> None:
    indexed = await sql.fetch("""
        SELECT DISTINCT c.relname
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
        WHERE c.relname LIKE 'read\\_%'
          AND a.attname IN ('like_count', 'likes', 'likes_received', 'total', 'unread')
    """)
    assert [row["relname"] for row in indexed] == ["read_post_rank"]


async def reported(sql: Connection, session: Connection) -> dict[str, Updates]:
    """Return what the session has made, which else is told at most each second."""
    await session.execute("SELECT pg_stat_force_next_flush()")
    await session.execute("SELECT 1")
    return await updates(sql)


def since(before: dict[str, Updates], now: dict[str, Updates]) -> dict[str, Updates]:
    return {table: made.since(before[table]) for table, made in now.items()}


def require_in_place(made: dict[str, Updates], *tables: str) -> None:
    assert all(made[table].in_place >= _IN_PLACE * made[table].updated for table in tables), made
