"""PostgreSQL crashes, or cuts connections, or requests are given up: nothing half-done, and everything goes on."""

import asyncio
from random import Random

import httpx

from projections.engine.checkpoint import Connection
from tests.commands.conftest import COMMANDS, MakeStore, nobody_lingers, titles
from tests.conftest import Servers
from tests.projections.conftest import Connect
from tests.support.blog import Blog, happened
from tests.support.people import Person, SignUp
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until
from tests.support.worker_process import worker_process

_CUT = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def edit(person: Person, post: object, title: str) -> httpx.Response:
    return await person.patch(f"/posts/{post}/", json={"title": title})


async def test_fault_13_a_crash_in_the_middle_of_a_transaction_leaves_no_part_of_it_and_all_recover(
    signed_up: SignUp, servers: Servers, sql: Connection, connect: Connect
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    with worker_process():
        post = await ada.publish()
        assert (await bob.put(f"/posts/{post}/like/")).status_code == 200
        assert (await bob.get(f"/posts/{post}/")).json()["like_count"] == 1
        obstacle = await connect()
        await obstacle.execute("BEGIN; LOCK TABLE event IN SHARE MODE")
        deletion = asyncio.create_task(ada.delete(f"/posts/{post}/"))
        await until(lambda: sql.fetchval(f"SELECT true {COMMANDS} AND wait_event = 'relation'"))
        servers.postgres.stop("immediate")
        try:
            for answer in (await deletion, await ada.get(f"/posts/{post}/"), await edit(ada, post, "Refused")):
                assert answer.status_code == 503
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert "Retry-After" in answer.headers
        finally:
            servers.postgres.start()
        shown = await bob.get(f"/posts/{post}/")
        assert (shown.status_code, shown.json()["title"], shown.json()["like_count"]) == (200, "A title", 1)
        assert (await edit(ada, post, "Edited")).status_code == 200
        assert (await bob.get(f"/posts/{post}/")).json()["title"] == "Edited"
        assert (await ada.delete(f"/posts/{post}/")).status_code == 204
        assert (await bob.get(f"/posts/{post}/")).status_code == 404


async def test_fault_14_everyone_goes_on_after_all_connections_were_cut(
    signed_up: SignUp, sql: Connection, read_side: ReadSide
) -> None:
    ada = await signed_up("ada")
    with worker_process():
        for turn in range(3):
            await asyncio.gather(*(ada.publish(f"{turn}.{number}") for number in range(5)))
            await sql.execute(_CUT)
            await ada.publish(f"{turn} after")
            assert (await ada.get("/posts/")).json()["total"] == 6 * (turn + 1)
            await sql.execute(_CUT)
            assert (await ada.get("/auth/me/")).json()["post_count"] == 6 * (turn + 1)
    await read_side.is_exact()


async def test_fault_15_100_cancelled_requests_leave_the_pool_intact(blog: Blog, make_store: MakeStore) -> None:
    store = await make_store(pool_size=2)
    ada = await blog.user("ada")
    own = Blog(store, blog.sql)
    random = Random(1)
    for number in range(100):
        request = asyncio.create_task(own.post(ada, f"Title {number}"))
        for _ in range(random.randint(0, 30)):
            await asyncio.sleep(0)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    after = await asyncio.gather(*(own.post(ada, f"After {number}") for number in range(10)))
    assert {post.title for post in after} <= await titles(blog)
    assert await nobody_lingers(blog.sql)
    assert len(await titles(blog)) == [event[0] for event in await happened(blog.sql)].count("PostPublished")
