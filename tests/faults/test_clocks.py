"""Clocks that are wrong, days that end, and days that are an hour shorter or longer: each like counts on its own."""

from collections import Counter
from datetime import datetime
from typing import Any

import httpx
import pytest

from projections.engine.checkpoint import Connection
from projections.projector import Projector
from tests.support.blog import Blog
from tests.support.people import Person, SignUp
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until
from tests.support.worker_process import worker_process

HOUR = 3_600

_QUARTERS = "SELECT DISTINCT quarter_hour FROM read_likes_quarter_hourly"
_TRUE_QUARTERS = "SELECT DISTINCT date_bin('15 minutes', created_at, '2000-01-01 00:00:00+00') FROM likes"
_SINCE = "SELECT projection FROM checkpoint WHERE updated_at NOT BETWEEN $1 AND clock_timestamp()"


async def unread(person: Person) -> dict[str, Any]:
    notifications: dict[str, Any] = (await person.get("/notifications/")).json()
    return notifications


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_fault_19_a_worker_whose_clock_is_wrong_works_in_the_databases_time(
    signed_up: SignUp, sql: Connection, read_side: ReadSide, ahead: int
) -> None:
    began: datetime = await sql.fetchval("SELECT clock_timestamp()")
    ada, bob = await signed_up("ada"), await signed_up("bob")
    with worker_process(clock_ahead_seconds=ahead):
        assert (await bob.put(f"/users/{ada.id}/subscribe/")).status_code == 200
        post = await ada.publish()
        assert (await bob.put(f"/posts/{post}/like/")).status_code == 200
        assert (await bob.get(f"/posts/{post}/")).json()["like_count"] == 1
        assert (await bob.get("/analytics/likes/")).json()["total"] == 1

        async def notified() -> bool:
            return bool((await unread(bob))["unread_count"])

        await until(notified)
        (notification,) = (await unread(bob))["items"]
        ended: datetime = await sql.fetchval("SELECT clock_timestamp()")
    assert began <= datetime.fromisoformat(notification["created_at"]) <= ended
    assert await sql.fetchval(_QUARTERS) == await sql.fetchval(_TRUE_QUARTERS)
    assert await sql.fetch(_SINCE, began) == []
    await read_side.is_exact()


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        ("UTC", {"2026-03-01T23:59:59.999Z": "2026-03-01", "2026-03-02T00:00:00Z": "2026-03-02"}),
        (
            "Europe/Berlin",  # its 29 March 2026 has 23 hours
            {
                "2026-03-28T22:59:59.999Z": "2026-03-28",
                "2026-03-28T23:00:00Z": "2026-03-29",
                "2026-03-29T00:59:59.999Z": "2026-03-29",
                "2026-03-29T01:00:00Z": "2026-03-29",
                "2026-03-29T21:59:59.999Z": "2026-03-29",
                "2026-03-29T22:00:00Z": "2026-03-30",
            },
        ),
        (
            "Europe/Berlin",  # its 25 October 2026 has 25 hours
            {
                "2026-10-24T21:59:59.999Z": "2026-10-24",
                "2026-10-24T22:00:00Z": "2026-10-25",
                "2026-10-25T00:30:00Z": "2026-10-25",
                "2026-10-25T01:30:00Z": "2026-10-25",
                "2026-10-25T22:59:59.999Z": "2026-10-25",
                "2026-10-25T23:00:00Z": "2026-10-26",
            },
        ),
        (
            "America/Sao_Paulo",  # its 4 November 2018 began at one o'clock
            {"2018-11-04T02:59:59.999Z": "2018-11-03", "2018-11-04T03:00:00Z": "2018-11-04"},
        ),
    ],
)
async def test_fault_20_a_like_at_the_edge_of_a_day_counts_on_its_own_day(
    blog: Blog, projector: Projector, api: httpx.AsyncClient, zone: str, moments: dict[str, str]
) -> None:
    users = await blog.users(len(moments))
    post = await blog.post(users[0])
    for user, moment in zip(users, moments, strict=True):
        await blog.like_at(datetime.fromisoformat(moment), post, user)
    await projector.fold()
    days = sorted(moments.values())
    answer = await api.get(f"/analytics/likes/?from={days[0]}&to={days[-1]}&tz={zone}")
    assert answer.status_code == 200
    assert {point["date"]: point["likes"] for point in answer.json()["series"]} == Counter(moments.values())
    assert answer.json()["total"] == len(moments)
