"""Signed-in clients of the API, as tests speak of them: by name."""

from collections.abc import Awaitable, Callable
from typing import Final, Self
from uuid import UUID

import httpx
from fastapi import FastAPI

from app.commands.sessions import begin_session
from app.commands.users import RegisterUser, register_user
from app.security.access_tokens import Principal
from app.security.passwords import SCHEME

PASSWORD: Final = "correct horse battery"
#: Hashed once: that is dear, and few tests are about it.
HASHED: Final[str] = SCHEME.hash(PASSWORD)


class Person(httpx.AsyncClient):
    """A client that sends a person's access token."""

    id: UUID
    username: str
    refresh_token: str

    @classmethod
    async def register(cls, app: FastAPI, username: str) -> Self:
        """Make a person by that name, signed in, by the commands that registering and signing in run."""
        state = app.state
        command = RegisterUser(username=username, email=f"{username}@example.org", hashed_password=HASHED)
        account = (await register_user(state.store, command)).value
        session = await begin_session(state.store, user_id=account.id, days=state.settings.refresh_token_days)
        principal = Principal(id=account.id, username=username, issued_at=session.issued_at)
        person = cls(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test")
        person._become(account.id, username, state.access_tokens.issue(principal), session.refresh_token)
        return person

    async def sign_up(self, username: str) -> None:
        """Register by that name and sign in, over HTTP."""
        account = {"username": username, "email": f"{username}@example.org", "password": PASSWORD}
        registered = await self.post("/auth/register/", json=account)
        assert registered.status_code == 201, registered.text
        self.username = username
        tokens = await self.sign_in()
        self._become(UUID(registered.json()["id"]), username, tokens["access_token"], tokens["refresh_token"])

    def _become(self, user_id: UUID, username: str, access_token: str, refresh_token: str) -> None:
        self.id = user_id
        self.username = username
        self.refresh_token = refresh_token
        self.headers["Authorization"] = f"Bearer {access_token}"

    async def sign_in(self) -> dict[str, str]:
        """Begin a session over HTTP and return its tokens."""
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
