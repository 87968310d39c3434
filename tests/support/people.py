"""Signed-in clients of the API, as tests speak of them: by name."""

from collections.abc import Awaitable, Callable
from typing import Self
from uuid import UUID

import httpx
from fastapi import FastAPI

PASSWORD = "correct horse battery"


class Person(httpx.AsyncClient):
    """A client that sends a person's access token."""

    id: UUID
    username: str
    refresh_token: str

    @classmethod
    async def register(cls, app: FastAPI, username: str) -> Self:
        """Register a person by that name and sign in."""
        person = cls(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test")
        account = {"username": username, "email": f"{username}@example.org", "password": PASSWORD}
        registered = await person.post("/auth/register/", json=account)
        assert registered.status_code == 201, registered.text
        tokens = await person.post("/auth/login/", json={"username": username, "password": PASSWORD})
        assert tokens.status_code == 200, tokens.text
        person.id = UUID(registered.json()["id"])
        person.username = username
        person.refresh_token = tokens.json()["refresh_token"]
        person.headers["Authorization"] = f"Bearer {tokens.json()['access_token']}"
        return person

    async def publish(self, title: str = "A title", content: str = "Some content.") -> UUID:
        """Publish a post and return its id."""
        answer = await self.post("/posts/", json={"title": title, "content": content})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])


def anyone(app: FastAPI) -> httpx.AsyncClient:
    """Return a client that has not signed in."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test")


SignUp = Callable[[str], Awaitable[Person]]
