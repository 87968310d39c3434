"""Many clients at once: each likes, follows, publishes, edits, deletes and reads, and remembers what it was told.

The oracle is theirs together; each changes nothing but what is its own.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from loadtests.hostile.client import GOOD, Answered, Client, problem, retry_after
from loadtests.hostile.oracle import Oracle, Told, Value
from loadtests.hostile.people import Person, account

#: Answered thus, a request may have been done; any other 503 says that it was not.
_UNKNOWN: Final = "outcome-unknown"
_UNAVAILABLE: Final = 503
_READS: Final = ("/posts/", "/posts/top/", "/feed/?limit=5", "/notifications/?limit=5", "/users/subscriptions/")
_ACTS: Final = {
    "turn_like": 34,
    "turn_subscription": 8,
    "publish": 8,
    "edit": 4,
    "delete": 3,
    "read": 28,
    "read_own": 15,
}
#: Few posts are liked by many, so that likes of different people meet.
_LIKED_POSTS: Final = 200


@dataclass(slots=True, kw_only=True)
class Crowd:
    """What the clients share."""

    port: int
    people: list[Person]
    chance: random.Random
    #: From an answer to the next request, on average.
    pause: float
    #: Whether nobody is to begin anything any more.
    over: bool = False
    oracle: Oracle = field(default_factory=Oracle)
    answers: list[Answered] = field(default_factory=list)
    #: Answers that nobody expected, such as a 404 for what is there.
    surprises: Counter[str] = field(default_factory=Counter)
    own_reads: int = 0
    #: Reads that did not show what their reader had been told before.
    stale: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for person in self.people:
            self.oracle.people[person.username] = Told({True})
            self.oracle.posts[f"Of {person.username}"] = Told({"It stays."})

    async def rage(self, *, newcomers: int) -> None:
        """Let everyone do things until it is over, and some register meanwhile."""
        clients = (Actor(self, person).live() for person in self.people)
        newer = (Newcomer(self, f"newcomer-{each}").live() for each in range(newcomers))
        await asyncio.gather(*clients, *newer)

    async def pausing(self) -> None:
        """Wait as one does between two requests."""
        await asyncio.sleep(self.chance.uniform(0.5, 1.5) * self.pause)


class Actor:
    """One client, signed in."""

    def __init__(self, crowd: Crowd, person: Person) -> None:
        self._crowd, self._person = crowd, person
        self._client = Client(crowd.port, person.token, crowd.answers)
        self._published = 0
        self._edits = 0
        #: Its own posts that stand for certain, by title.
        self._own: dict[str, str] = {}

    async def live(self) -> None:
        """Do one thing after another, until it is over."""
        chance = self._crowd.chance
        await asyncio.sleep(chance.uniform(0, self._crowd.pause))
        while not self._crowd.over:
            (act,) = chance.choices(tuple(_ACTS), tuple(_ACTS.values()))
            await getattr(self, f"_{act}")()
            await self._crowd.pausing()
        await self._client.close()

    async def _turn_like(self) -> None:
        post_id = self._crowd.chance.choice(self._crowd.people[:_LIKED_POSTS]).post_id
        told = self._crowd.oracle.likes.setdefault((self._person.id, post_id), Told({False}))
        await self._turn(told, f"/posts/{post_id}/like/", "like")

    async def _turn_subscription(self) -> None:
        target = self._crowd.chance.choice(self._crowd.people).id
        if target != self._person.id:
            told = self._crowd.oracle.subscriptions.setdefault((self._person.id, target), Told({False}))
            await self._turn(told, f"/users/{target}/subscribe/", "subscription")

    async def _turn(self, told: Told, path: str, what: str) -> None:
        value = told.may_be != {True}
        await self._write(told, value, "PUT" if value else "DELETE", path, what=what)

    async def _publish(self) -> None:
        self._published += 1
        title = f"{self._person.username}, {self._published}"
        told = self._crowd.oracle.posts.setdefault(title, Told({None}))
        body = {"title": title, "content": "As published."}
        while True:
            answer = await self._client.ask("write", "POST", "/posts/", body, what="publish")
            if answer is None or answer.status != _UNAVAILABLE or problem(answer) == _UNKNOWN:
                break
            if self._crowd.over:
                return
            # It was refused, says the answer, so it may be sent again: twice would be the server's fault.
            await asyncio.sleep(retry_after(answer.headers) * self._crowd.chance.uniform(1, 2))
        if answer is not None and answer.status in GOOD:
            told.acknowledged(body["content"])
            self._own[title] = orjson.loads(answer.body)["id"]
        else:
            told.doubtful(body["content"])
            self._note("publish", answer.status if answer else None)

    async def _edit(self) -> None:
        if self._own:
            title = self._crowd.chance.choice(tuple(self._own))
            self._edits += 1
            content = f"Edited, {self._edits}."
            told = self._crowd.oracle.posts[title]
            await self._write(told, content, "PATCH", f"/posts/{self._own[title]}/", {"content": content}, what="edit")

    async def _delete(self) -> None:
        if self._own:
            title = self._crowd.chance.choice(tuple(self._own))
            # Whatever the answer is, nothing else is done to it: it may be gone.
            await self._write(
                self._crowd.oracle.posts[title], None, "DELETE", f"/posts/{self._own.pop(title)}/", what="delete"
            )

    async def _write(
        self, told: Told, value: Value, method: str, path: str, body: dict[str, Any] | None = None, *, what: str
    ) -> None:
        answer = await self._client.ask("write", method, path, body, what=what)
        if answer is not None and answer.status in GOOD:
            told.acknowledged(value)
        else:
            told.doubtful(value)
            self._note(what, answer.status if answer else None)

    async def _read(self) -> None:
        path = self._crowd.chance.choice(_READS)
        answer = await self._client.ask("read", "GET", path)
        self._note(f"GET {path}", answer.status if answer else None)

    async def _read_own(self) -> None:
        """Look at a post that one has liked, or has not."""
        post_id = self._crowd.chance.choice(self._crowd.people[:_LIKED_POSTS]).post_id
        told = self._crowd.oracle.likes.get((self._person.id, post_id), Told({False}))
        answer = await self._client.ask("read", "GET", f"/posts/{post_id}/", what="GET a post")
        self._note("GET a post", answer.status if answer else None)
        if answer is not None and answer.status in GOOD:
            seen = orjson.loads(answer.body)["liked_by_me"]
            self._crowd.own_reads += 1
            if seen not in told.may_be:
                self._crowd.stale.append(f"{self._person.username} saw liked_by_me {seen} of {post_id}")

    def _note(self, what: str, status: int | None) -> None:
        if status is not None and status not in GOOD and status < 500:  # noqa: PLR2004 - its own fault, it says
            self._crowd.surprises[f"{what} {status}"] += 1


class Newcomer:
    """Somebody who registers one account after another."""

    def __init__(self, crowd: Crowd, name: str) -> None:
        self._crowd, self._name = crowd, name
        self._client = Client(crowd.port, answers=crowd.answers)

    async def live(self) -> None:
        """Register until it is over."""
        number = 0
        while not self._crowd.over:
            number += 1
            username = f"{self._name}-{number}"
            told = self._crowd.oracle.people.setdefault(username, Told({False}))
            answer = await self._client.ask("write", "POST", "/auth/register/", account(username), what="register")
            if answer is not None and answer.status in GOOD:
                told.acknowledged(value=True)
            else:
                told.doubtful(value=True)
            await self._crowd.pausing()
        await self._client.close()
