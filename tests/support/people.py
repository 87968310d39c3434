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
        await person.sign_up(username)
        return person

    async def sign_up(self, username: str) -> None:
        """Register by that name and sign in."""
        account = {"username": username, "email": f"{username}@example.org", "password": PASSWORD}
        registered = await self.post("/auth/register/", json=account)
        assert registered.status_code == 201, registered.text
        self.id = UUID(registered.json()["id"])
        self.username = username
        tokens = await self.sign_in()
        self.refresh_token = tokens["refresh_token"]
        self.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def sign_in(self) -> dict[str, str]:
        """Begin a session and return its tokens."""
        answer = await self.post("/auth/login/", json={"username": self.username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens

    async def publish(self, title: str = "A title", content: str = "Some content.") -> UUID:
        """Publish a post and return its id."""
        answer = await self.post("/posts/", json={"title": title, "content": content})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])


def anyone(app: FastAPI) -> httpx.AsyncClient:
    """Return a client that has not signed in."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test")


SignUp = Callable[[str], Awaitable[Person]]
