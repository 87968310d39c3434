"""Someone who uses Inkfold over HTTP: an account, its tokens, requests that are judged. For locustfile.py.

It imports nothing of the application. Locust has made locks and sleeps cooperative by the time this is read.
"""

import itertools
import random
import time
import uuid
from collections.abc import Callable, Collection
from http import HTTPStatus
from threading import Lock
from typing import Any

from locust import FastHttpUser, between

SHARED_ACCOUNTS = 10
PASSWORD = "correct horse battery staple"  # noqa: S105  # of accounts made up for the system under test

Json = dict[str, Any]
Expectation = Callable[[Json], bool]


class Account:
    """One account and its tokens; readers may share it, so a lock keeps them from renewing it twice."""

    def __init__(self) -> None:
        self.username = f"load_{uuid.uuid4().hex[:16]}"
        self.user_id = ""
        self.access_token = ""
        self.refresh_token = ""
        self.lock = Lock()


class Accounts:
    """This process's accounts, kept for the next user who needs one: each costs two password hashes."""

    def __init__(self) -> None:
        self._left: list[Account] = []
        self._shared = itertools.cycle([Account() for _ in range(SHARED_ACCOUNTS)])

    def shared(self) -> Account:
        """Return an account for someone who only reads."""
        return next(self._shared)

    def take(self) -> Account:
        """Return an account that nobody else uses, so that what it sees is what it did."""
        return self._left.pop() if self._left else Account()

    def give_back(self, account: Account) -> None:
        """Leave an account to the next user."""
        self._left.append(account)


ACCOUNTS = Accounts()


class Person(FastHttpUser):
    """Someone signed in, who remembers the posts and authors of the last page seen."""

    abstract = True
    wait_time = between(1, 4)

    def on_start(self) -> None:
        """Sign in to an account of one's own, or to one that a user before this one left."""
        self.account = ACCOUNTS.take()
        self.posts: list[str] = []
        self.authors: list[str] = []
        self.sign_in()

    def on_stop(self) -> None:
        """Leave the account to the next user."""
        ACCOUNTS.give_back(self.account)

    def sign_in(self) -> None:
        """Register the account and log in, unless that has been done."""
        account = self.account
        with account.lock:
            if not account.access_token:
                register = {"email": f"{account.username}@example.com", **self._credentials()}
                account.user_id = self._patiently("/auth/register/", register, HTTPStatus.CREATED)["id"]
                self._log_in()

    def call(
        self,
        method: str,
        path: str,
        *,
        name: str | None = None,
        json: Json | None = None,
        accept: Collection[int] = (200,),
        expect: Expectation | None = None,
        complaint: str = "",
    ) -> Json:
        """Send a request, again with a new token after a 401; return what a successful answer says, else {}.

        A successful answer that is not as expected counts as a failure, with the complaint.
        """
        for last in (False, True):
            token = self.account.access_token
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            with self.client.request(
                method, path, name=name, json=json, headers=headers, catch_response=True
            ) as answer:
                if last or not token or answer.status_code != HTTPStatus.UNAUTHORIZED:
                    return _judged(answer, accept, expect=expect, complaint=complaint)
                answer.success()
            self._renew(token)
        raise AssertionError("The second answer is returned, whatever it is.")

    def browse(self, path: str = "/posts/", query: str = "") -> Json:
        """Read a page of cards and remember what it shows."""
        page = self.call("GET", path + query, name=path)
        if cards := page.get("items"):
            self.posts = [card["id"] for card in cards]
            self.authors = [card["author"]["id"] for card in cards]
        return page

    def pick_post(self) -> str | None:
        """Choose a post of the last page, an upper one more likely; None while the blog is empty."""
        if not self.posts:
            self.browse()
        weights = [1 / place for place in range(1, len(self.posts) + 1)]
        return random.choices(self.posts, weights)[0] if self.posts else None

    def open_post(self, post_id: str, expect: Expectation | None = None, complaint: str = "") -> Json:
        """Open a post; 404 is right, since its author may have deleted it meanwhile."""
        path, name = f"/posts/{post_id}/", "/posts/{post_id}/"
        return self.call("GET", path, name=name, accept=(200, 404), expect=expect, complaint=complaint)

    def _credentials(self) -> Json:
        return {"username": self.account.username, "password": PASSWORD}

    def _log_in(self) -> None:
        self._keep(self._patiently("/auth/login/", self._credentials(), HTTPStatus.OK))

    def _renew(self, stale: str) -> None:
        """Exchange the refresh token once for all who share it; log in where it is no longer good."""
        with self.account.lock:
            if self.account.access_token != stale:
                return
            body = {"refresh_token": self.account.refresh_token}
            with self.client.post("/auth/refresh/", json=body, catch_response=True) as answer:
                tokens = _judged(answer, (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED))
            if tokens:
                self._keep(tokens)
            else:
                self._log_in()

    def _keep(self, tokens: Json) -> None:
        self.account.access_token = tokens["access_token"]
        self.account.refresh_token = tokens["refresh_token"]

    def _patiently(self, path: str, body: Json, wanted: HTTPStatus) -> Json:
        """Post, and again for as long as the server says that it hashes as many passwords as it can."""
        while True:
            with self.client.post(path, json=body, catch_response=True) as answer:
                if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    if said := _judged(answer, (wanted,)):
                        return said
                    raise RuntimeError(f"Nobody can sign in: {path} answered {answer.status_code}.")
                answer.success()
                delay = float((answer.headers or {}).get("Retry-After", "1"))
            time.sleep(delay)


def _judged(
    answer: Any,
    accept: Collection[int],
    *,
    expect: Expectation | None = None,
    complaint: str = "",
) -> Json:
    if answer.status_code not in accept:
        answer.failure(f"{answer.status_code}: {getattr(answer, 'error', None) or (answer.text or '')[:200]}")
        return {}
    said: Json = answer.json() if answer.ok and answer.text else {}
    if answer.ok and expect is not None and not expect(said):
        answer.failure(complaint)
    else:
        answer.success()
    return said
