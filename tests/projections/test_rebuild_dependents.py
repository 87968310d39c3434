"""Whatever depends on a read table, or was done to it meanwhile, is never lost with it: the table stays instead."""

import pytest

from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.rebuild import rebuild
from projections.engine.shadow import NotSwappableError
from projections.posts import POSTS
from projections.projector import Projector
from projections.ranking import RANKING
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect
from tests.support.blog import Blog
from tests.support.projection_spec import dump
from tests.support.rebuilding import Told, begun, held_up, table_ids, until_filling_waits
from tests.support.table_looks import looks_of

#: Each makes something that would be lost with a table of the ranking, and removes it again.
DEPENDENTS = {
    "view watched": ("CREATE VIEW watched AS SELECT max(like_count) FROM read_post_rank", "DROP VIEW watched"),
    "view stored": (
        "CREATE MATERIALIZED VIEW stored AS SELECT max(like_count) FROM read_post_rank",
        "DROP MATERIALIZED VIEW stored",
    ),
    "trigger watch": (
        """
        CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER watch AFTER INSERT ON read_post_rank FOR EACH ROW EXECUTE FUNCTION watch()
        """,
        "DROP FUNCTION watch CASCADE",
    ),
    "rule quiet": (
        "CREATE RULE quiet AS ON DELETE TO read_post_rank WHERE old.like_count < 0 DO INSTEAD NOTHING",
        "DROP RULE quiet ON read_post_rank",
    ),
    "row security policy mine": (
        "CREATE POLICY mine ON read_post_rank USING (true)",
        "DROP POLICY mine ON read_post_rank",
    ),
    "row security": (
        "ALTER TABLE read_post_rank ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE read_post_rank DISABLE ROW LEVEL SECURITY",
    ),
    "publication news": ("CREATE PUBLICATION news FOR TABLE read_post_rank", "DROP PUBLICATION news"),
    "foreign key": (
        "CREATE TABLE favourite (post_id uuid CONSTRAINT liked REFERENCES read_post_rank)",
        "DROP TABLE favourite",
    ),
    "table heir": ("CREATE TABLE heir () INHERITS (read_post_rank)", "DROP TABLE heir"),
}


@pytest.mark.parametrize("dependent", DEPENDENTS)
async def test_a_table_that_something_depends_on_is_not_replaced(
    blog: Blog, projector: Projector, building: Building, dependent: str
) -> None:
    make, remove = DEPENDENTS[dependent]
    await blog.post(await blog.user())
    await projector.fold()
    await blog.sql.execute(make)
    try:
        before, rows, looks = await table_ids(blog.sql), await dump(blog.sql), await looks_of(blog.sql)
        told = Told()
        with pytest.raises(NotSwappableError, match=f"{dependent}.* \\(of read_post_rank\\)"):
            await rebuild(building, PROJECTIONS, report=told)
        assert told.stages == []
        assert (await table_ids(blog.sql), await dump(blog.sql), await looks_of(blog.sql)) == (before, rows, looks)
    finally:
        await blog.sql.execute(remove)
    await rebuild(building, PROJECTIONS)


async def test_a_function_that_depends_on_a_table_keeps_it(sql: Connection, building: Building) -> None:
    await sql.execute(
        "CREATE FUNCTION hottest() RETURNS int LANGUAGE sql "
        "BEGIN ATOMIC SELECT max(like_count) FROM read_post_rank; END"
    )
    try:
        before = await table_ids(sql)
        with pytest.raises(NotSwappableError, match="function hottest\\(\\) depends on table read_post_rank"):
            await rebuild(building, [RANKING, POSTS])
        assert await table_ids(sql) == before
        assert await sql.fetchval("SELECT hottest()") is None
    finally:
        await sql.execute("DROP FUNCTION hottest")
    await rebuild(building, [RANKING, POSTS])


async def test_a_table_that_something_comes_to_depend_on_meanwhile_is_kept(
    sql: Connection, building: Building, connect: Connect
) -> None:
    before = await table_ids(sql)
    async with held_up(await connect()) as hold, begun(building, RANKING) as running:
        await until_filling_waits(sql, running=running)
        await sql.execute("CREATE VIEW watched AS SELECT FROM read_post_rank")
        await hold.release()
        with pytest.raises(NotSwappableError, match="view watched"):
            await running
    await sql.execute("DROP VIEW watched")
    assert await table_ids(sql) == before
    await rebuild(building, [RANKING])
    assert await table_ids(sql) != before


@pytest.mark.parametrize(
    ("alter", "undo"),
    [
        ("CREATE INDEX extra ON read_post_rank (author_id)", "DROP INDEX extra"),
        ("GRANT UPDATE ON read_post_rank TO PUBLIC", "REVOKE ALL ON read_post_rank FROM PUBLIC"),
        ("ALTER TABLE read_post_rank SET (fillfactor = 42)", "ALTER TABLE read_post_rank SET (fillfactor = 75)"),
        (
            "ALTER TABLE read_post_rank ADD CONSTRAINT rank CHECK (like_count > -1)",
            "ALTER TABLE read_post_rank DROP CONSTRAINT rank",
        ),
    ],
    ids=["index", "grant", "option", "constraint"],
)
async def test_a_table_altered_while_it_is_built_anew_keeps_what_it_got(
    sql: Connection, building: Building, *, connect: Connect, alter: str, undo: str
) -> None:
    before = await table_ids(sql)
    async with held_up(await connect()) as hold, begun(building, RANKING) as running:
        await until_filling_waits(sql, running=running)
        await sql.execute(alter)
        looks = await looks_of(sql)
        await hold.release()
        with pytest.raises(NotSwappableError, match="altered while the new tables were built: ranking"):
            await running
    try:
        assert (await table_ids(sql), await looks_of(sql)) == (before, looks)
        await rebuild(building, [RANKING])
        assert await table_ids(sql) != before
        assert await looks_of(sql) == looks
    finally:
        await sql.execute(undo)
