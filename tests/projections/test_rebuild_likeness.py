"""After a rebuild the tables are others, with the same rows, and like those before them in every respect."""

from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest

from app.migrate import migrate
from projections.engine.checkpoint import Connect, Connection
from projections.engine.rebuild import rebuild
from projections.engine.shadow import shadow_schemas
from projections.registry import PROJECTIONS
from tests.conftest import Servers
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, dump
from tests.support.rebuilding import table_ids
from tests.support.table_looks import looks_of

#: What an administrator may have done to a table, by hand.
BY_HAND = """
ALTER TABLE read_post SET (autovacuum_analyze_threshold = 77, toast.autovacuum_vacuum_threshold = 55);
ALTER TABLE read_post ALTER COLUMN title SET STATISTICS 250;
ALTER TABLE read_post ALTER COLUMN author_id SET (n_distinct = -0.2);
ALTER TABLE read_post ALTER COLUMN content SET COMPRESSION pglz;
ALTER TABLE read_post ALTER COLUMN version SET DEFAULT 1;
ALTER TABLE read_post ADD CONSTRAINT has_title CHECK (title <> '');
ALTER TABLE read_post ADD CONSTRAINT read_post_once UNIQUE (author_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE read_post CLUSTER ON read_post_by_author;
ALTER TABLE read_post REPLICA IDENTITY USING INDEX read_post_pkey;
CREATE INDEX "read by Title" ON read_post (lower(title) COLLATE "C" DESC) INCLUDE (version) WITH (fillfactor = 61)
    WHERE version > 1;
ALTER INDEX "read by Title" ALTER COLUMN 1 SET STATISTICS 333;
CREATE STATISTICS read_post_together (ndistinct, mcv) ON author_id, author_username FROM read_post;
ALTER STATISTICS read_post_together SET STATISTICS 44;
COMMENT ON TABLE read_post IS 'It''s what "GET /posts/" shows';
COMMENT ON COLUMN read_post.excerpt IS 'the beginning';
COMMENT ON INDEX read_post_newest IS 'for the feed';
COMMENT ON CONSTRAINT read_post_once ON read_post IS 'checked late';
COMMENT ON CONSTRAINT has_title ON read_post IS 'or it can''t be linked';
ALTER TABLE read_profile ADD EXCLUDE (username WITH =);
ALTER TABLE read_post_rank REPLICA IDENTITY FULL;
ALTER TABLE read_subscription SET UNLOGGED;
GRANT SELECT, TRIGGER ON read_post TO rebuilt_analyst WITH GRANT OPTION;
GRANT SELECT (like_count, post_id), UPDATE (like_count) ON read_post_rank TO PUBLIC;
ALTER TABLE read_announcement ADD COLUMN mood text;
GRANT SELECT (post_id), REFERENCES (mood) ON read_announcement TO rebuilt_analyst WITH GRANT OPTION;
ALTER TABLE read_announcement OWNER TO rebuilt_analyst;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO rebuilt_analyst, PUBLIC;
"""


@pytest.fixture
async def adjusted(servers: Servers, sql: Connection) -> AsyncIterator[tuple[Connection, Connect]]:
    """Another database, whose tables an administrator has adjusted; and what opens connections to it."""
    await sql.execute("CREATE DATABASE adjusted")
    await sql.execute("CREATE ROLE rebuilt_analyst")
    dsn = servers.postgres.dsn("adjusted")
    try:
        await migrate(dsn)
        connection = await asyncpg.connect(dsn)
        await connection.execute(BY_HAND)
        # As a superuser: the worker's role may not make a table another's.
        yield connection, partial(asyncpg.connect, dsn)
        await connection.close()
    finally:
        await sql.execute("DROP DATABASE adjusted WITH (FORCE)")
        await sql.execute("DROP ROLE rebuilt_analyst")


async def test_rebuilt_tables_are_like_the_ones_before_them(blog: Blog, building: Connect, read_side: ReadSide) -> None:
    fans = await blog.users(3)
    post = await blog.post(fans[0])
    for fan in fans:
        await blog.subscribe(fan, fans[fans.index(fan) - 1])
        await blog.like(post, fan)
    await blog.announce()
    await read_side.projector.fold()
    before, rows, looks = await table_ids(blog.sql), await dump(blog.sql), await looks_of(blog.sql)
    await rebuild(building, PROJECTIONS)
    after = await table_ids(blog.sql)
    assert after.keys() == before.keys()
    assert set(after.values()).isdisjoint(before.values())
    assert await looks_of(blog.sql) == looks
    assert await dump(blog.sql) == rows
    await read_side.folds_nothing_again()


async def test_what_an_administrator_has_done_to_a_table_stays(adjusted: tuple[Connection, Connect]) -> None:
    sql, connect = adjusted
    before, looks = await table_ids(sql), await looks_of(sql)
    await rebuild(connect, PROJECTIONS)
    assert set((await table_ids(sql)).values()).isdisjoint(before.values())
    assert await looks_of(sql) == looks


async def test_nothing_of_a_rebuild_stays_behind(blog: Blog, building: Connect) -> None:
    relations = "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_(temp|toast)' ORDER BY 1"
    before = await blog.sql.fetch(relations)
    await rebuild(building, PROJECTIONS)
    assert await blog.sql.fetch(relations) == before
    assert await shadow_schemas(blog.sql) == []


async def test_the_planner_knows_a_rebuilt_table(blog: Blog, building: Connect) -> None:
    await blog.users(30)
    await rebuild(building, PROJECTIONS)
    known = "SELECT reltuples FROM pg_class WHERE oid = 'read_profile'::regclass"
    assert await blog.sql.fetchval(known) == 30
    assert await blog.sql.fetchval("SELECT count(*) FROM pg_stats WHERE tablename = 'read_profile'") > 0
