"""Commands over HTTP: what they answer, and what the headers of their requests and answers mean."""

import httpx
import pytest
from fastapi import FastAPI

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.people import SignUp


async def test_post_is_published_replaced_changed_and_deleted_by_its_author(signed_up: SignUp) -> None:
    ada = await signed_up("ada")

    published = await ada.post("/posts", json={"title": "  First  ", "content": " text\n"})
    path = published.headers["location"]
    replaced = await ada.put(path, json={"title": "Second", "content": "other"})
    changed = await ada.patch(path, json={"content": "third"})
    deleted = await ada.delete(path)

    assert published.status_code == 201
    assert published.json()["title"] == "First"
    assert published.json()["content"] == " text\n"
    assert published.json()["author"] == {"id": str(ada.id), "username": "ada"}
    assert (replaced.json()["title"], replaced.json()["version"]) == ("Second", 2)
    assert (changed.json()["title"], changed.json()["content"], changed.json()["version"]) == ("Second", "third", 3)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await ada.delete(path)).status_code == 404
    for answer in (published, replaced, changed, deleted):
        assert answer.headers["consistency-token"].isdecimal()


async def test_strangers_may_not_touch_a_post(signed_up: SignUp) -> None:
    ada, eve = await signed_up("ada"), await signed_up("eve")
    path = f"/posts/{await ada.publish()}/"

    answers = [
        await eve.put(path, json={"title": "Mine", "content": "now"}),
        await eve.patch(path, json={"title": "Mine"}),
        await eve.delete(path),
    ]

    assert {answer.status_code for answer in answers} == {403}


async def test_edit_of_a_version_that_is_gone_is_refused(signed_up: SignUp, projector: Projector) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    path = f"/posts/{await ada.publish()}/"
    await projector.fold()
    etag = (await ada.get(path)).headers["etag"]
    await bob.put(f"{path}like/")

    in_time = await ada.patch(path, json={"title": "Second"}, headers={"If-Match": etag})
    too_late = await ada.patch(path, json={"title": "Third"}, headers={"If-Match": etag})
    deleted = await ada.delete(path, headers={"If-Match": etag})
    whatever = await ada.patch(path, json={"title": "Fourth"}, headers={"If-Match": "*"})

    assert [answer.status_code for answer in (in_time, too_late, deleted, whatever)] == [200, 412, 412, 200]


async def test_one_strong_tag_among_several_is_enough_for_an_edit(signed_up: SignUp, projector: Projector) -> None:
    ada = await signed_up("ada")
    path = f"/posts/{await ada.publish()}/"
    await projector.fold()
    etag = (await ada.get(path)).headers["etag"]

    weak, neither, among_others = [
        await ada.patch(path, json={"title": "Second"}, headers={"If-Match": sent})
        for sent in (f'"9.old", W/{etag}', '"8.older", "9.old"', f'"9.old", {etag}')
    ]

    assert [answer.status_code for answer in (weak, neither, among_others)] == [412, 412, 200]


async def test_like_toggles_by_post_and_is_repeatable_by_put_and_delete(signed_up: SignUp) -> None:
    ada = await signed_up("ada")
    path = f"/posts/{await ada.publish()}/like/"

    methods = ["POST", "POST", "PUT", "PUT", "DELETE", "DELETE"]
    answers = [await ada.request(method, path) for method in methods]

    assert [answer.json()["liked"] for answer in answers] == [True, False, True, True, False, False]
    changed = ["consistency-token" in answer.headers for answer in answers]
    assert changed == [True, True, True, False, True, False]


async def test_subscription_toggles_by_post_and_is_repeatable_by_put_and_delete(signed_up: SignUp) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")

    methods = ["POST", "POST", "PUT", "PUT", "DELETE", "DELETE"]
    answers = [await bob.request(method, f"/users/{ada.id}/subscribe/") for method in methods]

    assert [answer.json()["subscribed"] for answer in answers] == [True, False, True, True, False, False]


async def test_notifications_are_marked_read_one_by_one_or_all_by_their_owner_only(
    signed_up: SignUp, projector: Projector
) -> None:
    ada, bob = await signed_up("ada"), await signed_up("bob")
    await bob.put(f"/users/{ada.id}/subscribe/")
    for _ in range(3):
        await ada.publish()
    await projector.announce()
    await projector.fold()
    first = (await bob.get("/notifications/")).json()["items"][0]["id"]

    strangers = await ada.post(f"/notifications/{first}/read/")
    one = [await bob.post(f"/notifications/{first}/read/") for _ in range(2)]
    everything = [await bob.post("/notifications/read-all/") for _ in range(2)]

    assert strangers.status_code == 404
    assert [answer.json() for answer in one] == [{"id": first, "is_read": True}] * 2
    assert [answer.json() for answer in everything] == [{"read": 2}, {"read": 0}]


async def test_top_posts_come_from_redis_once_they_were_read(
    api: httpx.AsyncClient, signed_up: SignUp, projector: Projector
) -> None:
    ada = await signed_up("ada")
    post_id = await ada.publish()
    await ada.put(f"/posts/{post_id}/like/")
    await projector.fold()
    await projector.redis.flushall()

    first, second = [await api.get("/posts/top/") for _ in range(2)]

    assert [item["id"] for item in first.json()["items"]] == [str(post_id)]
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert second.json() == first.json()


async def test_who_prefers_stale_is_not_told_that_what_was_just_written_does_not_exist(
    application: FastAPI, signed_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application.state.freshness, "_wait", 0.05)
    ada = await signed_up("ada")
    answer = await ada.get(f"/posts/{await ada.publish()}/", headers={"Prefer": "stale"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


async def test_who_prefers_stale_is_told_that_it_is(
    api: httpx.AsyncClient, signed_up: SignUp, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application.state.freshness, "_wait", 0.05)
    ada = await signed_up("ada")
    published = await ada.post("/posts/", json={"title": "Unfolded", "content": "No worker runs."})
    headers = {"Consistency-Token": published.headers["consistency-token"]}

    waiting = await api.get("/posts/", headers=headers)
    stale = await api.get("/posts/", headers={**headers, "Prefer": "respond-async, stale"})

    assert waiting.status_code == 503
    assert waiting.headers["retry-after"] == "1"
    assert stale.status_code == 200
    assert stale.headers["preference-applied"] == "stale"
    assert stale.json()["total"] == 0


async def test_what_only_a_former_primary_had_committed_is_not_waited_for(
    signed_up: SignUp, projector: Projector, sql: Connection
) -> None:
    ada = await signed_up("ada")
    await ada.publish()
    await projector.fold()
    lost = str(await sql.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000"))
    await projector.cache.remember_token(ada.id, lost)

    remembered = await ada.get("/posts/")
    sent = await ada.get("/posts/", headers={"Consistency-Token": lost})

    assert (remembered.status_code, remembered.json()["total"]) == (200, 1)
    assert sent.status_code == 422
