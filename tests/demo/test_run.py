"""A run of the demo: what it leaves in the tables, alone and beside a running system."""

import asyncio
from itertools import pairwise
from uuid import UUID

import httpx
import orjson
import pytest

from app.commands.likes import ToggleLike, toggle_like
from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from app.demo.batch import Size
from app.demo.read_rows import OWN
from app.demo.run import NotMigratedError
from projections.engine.checkpoint import Connection
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.conftest import Servers
from tests.demo.conftest import SMALL, Verify, held_up, is_held_up, run_demo
from tests.support.blog import Blog

_NORMALIZED = ("users", "posts", "subscriptions", "likes", "notifications")

_TOO_EARLY = """
SELECT count(*)
FROM likes l
JOIN posts p ON p.id = l.post_id
JOIN users u ON u.id = l.user_id
WHERE l.created_at <= p.created_at OR l.created_at <= u.created_at OR l.created_at > now()
"""

_SHARE_OF_HOTTEST_TENTH = """
SELECT sum(likes) FILTER (WHERE place <= 0.1)::float / sum(likes)
FROM (
    SELECT like_count AS likes, percent_rank() OVER (ORDER BY like_count DESC) AS place FROM read_post_rank
) r
"""

_BY_LIKES = "SELECT post_id FROM read_post_rank ORDER BY like_count DESC, post_id DESC LIMIT 10"


async def _count(sql: Connection) -> dict[str, int]:
    return {table: await sql.fetchval(f"SELECT count(*) FROM {table}") for table in _NORMALIZED}


async def _written(sql: Connection, post: UUID) -> WrittenPost:
    row = await sql.fetchrow(
        "SELECT id, author_id, title, content, version, created_at, updated_at FROM posts WHERE id = $1", post
    )
    assert row is not None
    return WrittenPost(**row)


async def test_everything_asked_for_is_added_and_every_read_table_is_exact(
    database: str, sql: Connection, differences: Verify
) -> None:
    await run_demo(database)
    counts = await _count(sql)
    assert counts.pop("notifications") > 0
    assert counts == {"users": 30, "posts": 60, "subscriptions": 240, "likes": 600}
    for table in OWN:
        assert table == "read_announcement" or await sql.fetchval(f"SELECT count(*) FROM {table}") > 0, table
    assert await differences() == []


async def test_foreign_keys_hold_though_they_are_not_looked_up(database: str, sql: Connection) -> None:
    await run_demo(database)
    keys = await sql.fetch("SELECT conrelid::regclass::text AS t, conname FROM pg_constraint WHERE contype = 'f'")
    for key in keys:
        await sql.execute(f"UPDATE pg_constraint SET convalidated = false WHERE conname = '{key['conname']}'")
        await sql.execute(f"ALTER TABLE {key['t']} VALIDATE CONSTRAINT {key['conname']}")


async def test_no_like_comes_before_its_post_or_its_user(database: str, sql: Connection) -> None:
    await run_demo(database, Size(users=200, posts=300, likes=5_000))
    assert await sql.fetchval(_TOO_EARLY) == 0
    assert (
        await sql.fetchval(
            "SELECT count(*) FROM posts p JOIN users u ON u.id = p.author_id WHERE p.created_at < u.created_at"
        )
        == 0
    )


async def test_few_posts_have_most_likes_and_few_users_most_subscribers(database: str, sql: Connection) -> None:
    await run_demo(database, Size(users=500, posts=1_000, likes=20_000))
    assert await sql.fetchval(_SHARE_OF_HOTTEST_TENTH) > 0.5
    followed = [row[0] for row in await sql.fetch("SELECT subscriber_count FROM read_profile ORDER BY user_id")]
    assert sum(followed[:50]) > sum(followed) / 3
    assert all(before >= after for before, after in pairwise(followed))


async def test_every_user_can_like_every_post(database: str, sql: Connection, differences: Verify) -> None:
    await run_demo(database, Size(users=9, posts=11, likes=99))
    assert await sql.fetchval("SELECT count(DISTINCT (post_id, user_id)) FROM likes") == 99
    assert await differences() == []


@pytest.mark.parametrize("size", [Size(users=1, posts=0, likes=0), Size(users=1, posts=1, likes=1)])
async def test_the_smallest_blogs_work(database: str, differences: Verify, size: Size) -> None:
    await run_demo(database, size)
    assert await differences() == []


async def test_a_second_run_adds_a_second_batch(database: str, sql: Connection, differences: Verify) -> None:
    first = await run_demo(database)
    second = await run_demo(database)
    assert (await _count(sql))["likes"] == 2 * SMALL.likes
    assert set(first.usernames).isdisjoint(second.usernames)
    assert await sql.fetchval("SELECT total FROM read_post_total") == 2 * SMALL.posts
    assert await differences() == []


async def test_runs_at_once_take_turns(database: str, sql: Connection, differences: Verify) -> None:
    await asyncio.gather(*(run_demo(database, seed=seed) for seed in range(3)))
    assert (await _count(sql))["users"] == 3 * SMALL.users
    assert await differences() == []


async def test_the_same_seed_makes_up_the_same_blog(database: str, sql: Connection) -> None:
    await run_demo(database, seed=7)
    await run_demo(database, seed=7)
    await run_demo(database, seed=8)
    posts = [
        tuple(row)
        for row in await sql.fetch(
            "SELECT p.title, r.like_count FROM posts p JOIN read_post r ON r.id = p.id ORDER BY p.id"
        )
    ]
    assert posts[:60] == posts[60:120] != posts[120:]


async def test_what_was_there_stays_as_it_is(
    database: str, blog: Blog, projector: Projector, differences: Verify
) -> None:
    author, reader = await blog.users(2)
    post = await blog.post(author)
    await blog.like(post, reader)
    await run_demo(database)
    assert await projector.fold() > 0
    assert await blog.sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id) == 1
    assert await differences() == []


async def test_folding_goes_on_while_a_run_is_filling(
    database: str, blog: Blog, projector: Projector, differences: Verify
) -> None:
    author, reader = await blog.users(2)
    post = await blog.post(author)
    async with held_up(database):
        demo = asyncio.create_task(run_demo(database))
        await is_held_up(blog.sql, ended=demo.done)
        await blog.like(post, reader)
        await projector.fold()
        assert await blog.sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id) == 1
        assert await differences() == []
    await demo
    assert await differences() == []


@pytest.mark.usefixtures("worker")
async def test_clients_who_like_and_unlike_meanwhile_are_counted(
    database: str, blog: Blog, differences: Verify
) -> None:
    author, *readers = await blog.users(5)
    posts = [await blog.post(author) for _ in range(3)]
    demo = asyncio.create_task(run_demo(database, Size(users=300, posts=500, likes=20_000)))

    async def toggle(reader: RegisteredUser) -> None:
        turns = 0
        while not demo.done() or turns < 20:
            await toggle_like(blog.store, ToggleLike(post_id=posts[turns % 3].id, user_id=reader.id))
            turns += 1

    await asyncio.gather(demo, *(toggle(reader) for reader in readers))
    assert await differences() == []


async def test_made_up_posts_can_be_liked_edited_and_deleted(
    database: str, blog: Blog, projector: Projector, differences: Verify
) -> None:
    await run_demo(database)
    posts = [row["id"] for row in await blog.sql.fetch("SELECT id FROM posts ORDER BY id DESC LIMIT 2")]
    (reader,) = await blog.users(1)
    liked, deleted = [await _written(blog.sql, post) for post in posts]
    await blog.like(liked, reader)
    await blog.edit(liked, title="Edited")
    await blog.delete(deleted)
    await projector.fold()
    assert await differences() == []


async def test_the_next_step_puts_the_new_top_posts_into_redis(
    database: str, sql: Connection, projector: Projector
) -> None:
    await projector.sweep()
    await run_demo(database)
    await projector.fold()
    top = await projector.cache.read_top()
    assert top is not None
    assert [item["id"] for item in orjson.loads(top.body)["items"]] == [
        str(row["post_id"]) for row in await sql.fetch(_BY_LIKES)
    ]


async def test_one_can_sign_in_as_any_of_the_users(database: str, sql: Connection, api: httpx.AsyncClient) -> None:
    added = await run_demo(database)
    username = await sql.fetchval("SELECT username FROM users ORDER BY id DESC LIMIT 1")
    assert username.startswith("demo-")
    for login in (added.usernames[0], username):
        answer = await api.post("/auth/login/", json={"username": login, "password": added.password})
        assert answer.status_code == 200, answer.text


async def test_a_run_that_is_cancelled_leaves_nothing(database: str, sql: Connection) -> None:
    async with held_up(database):
        demo = asyncio.create_task(run_demo(database))
        await is_held_up(sql, ended=demo.done)
        demo.cancel()
        with pytest.raises(asyncio.CancelledError):
            await demo
    assert set((await _count(sql)).values()) == {0}


async def test_it_works_for_an_owner_who_may_not_skip_checks(
    database: str, sql: Connection, differences: Verify
) -> None:
    await sql.execute("DROP ROLE IF EXISTS plain")
    await sql.execute("CREATE ROLE plain LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO plain")
    try:
        await run_demo(database.replace("postgres@", "plain@"))
    finally:
        await sql.execute("DROP OWNED BY plain; DROP ROLE plain")
    assert await differences() == []


async def test_a_database_without_the_migrations_is_refused(servers: Servers, sql: Connection) -> None:
    await sql.execute("DROP DATABASE IF EXISTS bare")
    await sql.execute("CREATE DATABASE bare")
    try:
        with pytest.raises(NotMigratedError, match="Run `inkfold migrate` first"):
            await run_demo(servers.postgres.dsn("bare"))
    finally:
        await sql.execute("DROP DATABASE bare")


def test_it_knows_every_read_table() -> None:
    assert OWN.keys() == {table.name for projection in PROJECTIONS for table in projection.tables}
