"""One Idempotency-Key, one effect: another body with it, or the same at the same time, is refused."""

import asyncio
from uuid import uuid4

from projections.engine.checkpoint import Connection
from tests.commands.conftest import COMMANDS
from tests.projections.conftest import Connect
from tests.support.people import SignUp
from tests.support.waiting import until

POST = {"title": "A title", "content": "Some content."}


async def test_fault_38_a_key_used_for_another_body_is_refused(signed_up: SignUp, sql: Connection) -> None:
    ada = await signed_up("ada")
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    first = await ada.post("/posts/", json=POST, headers=headers)

    other = await ada.post("/posts/", json={**POST, "title": "Another title"}, headers=headers)
    again = await ada.post("/posts/", json=POST, headers=headers)

    assert (first.status_code, other.status_code) == (201, 422)
    assert other.headers["Content-Type"] == "application/problem+json"
    assert (again.status_code, again.json()) == (201, first.json())
    assert await sql.fetchval("SELECT count(*) FROM posts") == 1


async def test_fault_38_a_key_whose_first_request_still_runs_is_refused(
    signed_up: SignUp, sql: Connection, connect: Connect
) -> None:
    ada = await signed_up("ada")
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    obstacle = await connect()
    await obstacle.execute("BEGIN; LOCK TABLE event IN SHARE MODE")
    first = asyncio.create_task(ada.post("/posts/", json=POST, headers=headers))
    await until(lambda: sql.fetchval(f"SELECT true {COMMANDS} AND wait_event = 'relation'"))

    second = await ada.post("/posts/", json=POST, headers=headers)
    await obstacle.execute("ROLLBACK")

    assert second.status_code == 409
    assert second.headers["Content-Type"] == "application/problem+json"
    assert (await first).status_code == 201
    assert await sql.fetchval("SELECT count(*) FROM posts") == 1
