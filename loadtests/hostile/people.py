"""People who sign up over the API before an attack begins, a few at a time: the queue for passwords is short."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import orjson

from loadtests.hostile.client import GOOD, Client, retry_after
from projections.engine.report import Report

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of accounts made up for the system under attack

_DOORS: Final = 16
_TRIES: Final = 60
_OVERLOADED: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone signed in, with a post that stays."""

    id: str
    username: str
    token: str
    post_id: str


def account(username: str) -> dict[str, str]:
    """Return what one registers with."""
    return {"username": username, "email": f"{username}@example.org", "password": PASSWORD}


async def sign_up(port: int, number: int, report: Report, *, name: str = "person") -> list[Person]:
    """Register so many, sign them in, and let each publish a post; raises RuntimeError when that is refused."""
    report.begin("Signing up", number, "people")
    people: list[Person] = []
    waiting = iter(range(number))

    async def enter() -> None:
        client = Client(port)
        try:
            for each in waiting:
                people.append(await _enter(client, f"{name}-{each}"))
                report.reach(len(people))
        finally:
            await client.close()

    await asyncio.gather(*(enter() for _ in range(min(_DOORS, number))))
    return people


async def _enter(client: Client, username: str) -> Person:
    client.token = ""
    registered = await _send(client, "/auth/register/", account(username))
    credentials = {"username": username, "password": PASSWORD}
    client.token = (await _send(client, "/auth/login/", credentials))["access_token"]
    post = {"title": f"Of {username}", "content": "It stays."}
    published = await _send(client, "/posts/", post)
    return Person(id=registered["id"], username=username, token=client.token, post_id=published["id"])


async def _send(client: Client, path: str, body: dict[str, str]) -> dict[str, Any]:
    """Send it until it is not answered 503: those whom an attack left behind may still be in the queue."""
    for _ in range(_TRIES):
        answer = await client.ask("write", "POST", path, body)
        if answer is None or answer.status != _OVERLOADED:
            break
        await asyncio.sleep(retry_after(answer.headers))
    if answer is None or answer.status not in GOOD:
        said = f"{answer.status}, {answer.body[:200]!r}" if answer else "nothing"
        raise RuntimeError(f"Nobody can sign up: the answer was {said}.")
    value: dict[str, Any] = orjson.loads(answer.body)
    return value
