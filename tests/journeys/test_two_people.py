"""A life of two people over HTTP, with no wait between one call and the next."""

from typing import Any
from uuid import UUID

import pytest

from projections.engine.checkpoint import Connection
from tests.support.people import Person, SignUp

pytestmark = pytest.mark.usefixtures("worker")


async def test_everyone_reads_what_was_written_at_once(signed_up: SignUp, sql: Connection) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    first = await ada.publish("First")
    assert (await bob.put(f"/users/{ada.id}/subscribe/")).json() == {"subscribed": True}
    second = await ada.publish("Second")

    assert (await bob.post(f"/posts/{second}/like/")).json() == {"liked": True}
    post = await get(bob, f"/posts/{second}/")
    assert (post["like_count"], post["liked_by_me"]) == (1, True)
    notifications = await get(bob, "/notifications/")
    assert [item["post_id"] for item in notifications["items"]] == [str(second)]
    assert notifications["unread_count"] == 1
    assert await top_counts(bob) == {second: 1, first: 0}
    assert (await get(bob, "/analytics/likes/"))["total"] == 1

    assert (await bob.post(f"/posts/{second}/like/")).json() == {"liked": False}
    assert (await get(bob, f"/posts/{second}/"))["like_count"] == 0
    assert await top_counts(bob) == {second: 0, first: 0}
    assert (await get(bob, "/analytics/likes/"))["total"] == 0

    for post_id in (first, second):
        assert (await ada.delete(f"/posts/{post_id}/")).status_code == 204
    assert (await ada.get(f"/posts/{second}/")).status_code == 404
    assert (await get(ada, "/auth/me/"))["post_count"] == 0
    await assert_nothing_mentions(sql, first, second)


async def test_the_token_of_one_lets_another_read_what_was_written(signed_up: SignUp) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    published = await ada.post("/posts/", json={"title": "Mine", "content": "Yours"})
    token = {"Consistency-Token": published.headers["Consistency-Token"]}
    listed = await bob.get("/posts/", headers=token)
    assert [item["id"] for item in listed.json()["items"]] == [published.json()["id"]]


async def test_a_miss_is_certain(signed_up: SignUp, api: Any) -> None:
    ada = await signed_up("ada")
    post_id = await ada.publish()
    assert (await api.get(f"/posts/{post_id}/")).status_code == 200


async def get(person: Person, path: str) -> dict[str, Any]:
    answer = await person.get(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def top_counts(person: Person) -> dict[UUID, int]:
    return {UUID(item["id"]): item["like_count"] for item in (await get(person, "/posts/top/"))["items"]}


async def assert_nothing_mentions(sql: Connection, *post_ids: UUID) -> None:
    """No row of any read table holds one of these ids."""
    tables = await sql.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'read\\_%'")
    for table in tables:
        rows = await sql.fetch(f"SELECT to_jsonb(r)::text AS row FROM {table['relname']} r")
        assert not [row for row in rows for post_id in post_ids if str(post_id) in row["row"]], table["relname"]
