"""What users must see at once, whatever is down: what they wrote themselves. Others' writes may be missing."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpx

from tests.soak import screens
from tests.soak.inbox import compare_inbox
from tests.soak.oracle import Oracle
from tests.soak.reading import Asks, differ, walk, without

#: Looks at a screen and returns what is wrong.
Look: TypeAlias = "Callable[[Glance], Coroutine[Any, Any, list[str]]]"


@dataclass(frozen=True, slots=True)
class Glance:
    """A user's look at one screen; where a post is to be looked at, `number` chooses it."""

    oracle: Oracle
    user_id: str
    number: int
    asks: Asks

    async def get(self, path: str) -> httpx.Response:
        return await self.asks(path, self.user_id)

    async def own_account(self) -> list[str]:
        shown = (await self.get("/auth/me/")).json()
        expected = screens.profile(self.oracle, self.user_id)
        own = ("id", "username", "created_at", "post_count", "subscription_count")
        return differ("/auth/me/", [shown[name] for name in own], [expected[name] for name in own])

    async def own_posts(self) -> list[str]:
        path = f"/users/{self.user_id}/posts/"
        shown, faults = await walk(self.get, path)
        expected = screens.newest(self.oracle, self.user_id, [self.user_id])
        return faults + differ(path, without(shown, "like_count"), without(expected, "like_count"))

    async def own_subscriptions(self) -> list[str]:
        path = "/users/subscriptions/"
        shown, faults = await walk(self.get, path)
        return faults + screens.in_order(path, shown, screens.followed(self.oracle, self.user_id), stamp="since")

    async def post(self) -> list[str]:
        """A post that stands is never missing; one's own is as one wrote it."""
        if not self.oracle.authors:
            return []
        post_id, author_id = list(self.oracle.authors.items())[self.number % len(self.oracle.authors)]
        post, mine = self.oracle.posts.get(post_id), author_id == self.user_id
        path = f"/posts/{post_id}/"
        answer = await self.get(path)
        if post is None:
            return differ(f"The status of deleted {path}", answer.status_code, 404) if mine else []
        if answer.status_code == 404:
            return [f"{path} is missing."]
        shown, expected = answer.json(), screens.card(self.oracle, post, self.user_id)
        faults = differ(f"liked_by_me of {path}", shown["liked_by_me"], expected["liked_by_me"])
        if mine:
            expected["content"] = post.content
            faults += differ(path, without([shown], "like_count"), without([expected], "like_count"))
        return faults

    async def inbox(self) -> list[str]:
        """What has been read is read."""
        shown, faults = await walk(self.get, "/notifications/", status="all")
        faults += compare_inbox(self.oracle, self.user_id, shown, complete=False)
        unread, more = await walk(self.get, "/notifications/")
        return faults + more + compare_inbox(self.oracle, self.user_id, unread, complete=False)

    async def home(self) -> list[str]:
        """Nobody is shown whom one does not follow."""
        shown, _ = await walk(self.get, "/feed/")  # whose total may be behind: it counts others' posts
        strangers = {item["author"]["id"] for item in shown} - screens.followed(self.oracle, self.user_id).keys()
        return differ("Strangers in /feed/", strangers, set())

    async def top(self) -> list[str]:
        """One's own posts: none that is deleted, and while there are no more than ten posts, all that stand."""
        shown = (await self.get("/posts/top/")).json()["items"]
        own = {item["id"] for item in shown if item["author"]["id"] == self.user_id}
        standing = {post.id for post in self.oracle.posts.values() if post.author_id == self.user_id}
        missing = standing - own if len(self.oracle.authors) <= screens.TOP else set()
        return differ("Own posts in /posts/top/", (own - standing, missing), (set(), set()))

    async def as_nobody(self) -> list[str]:
        """Whoever has not signed in finds every post that stands."""
        newest = list(self.oracle.posts)[-3:]
        found = [(await self.asks(f"/posts/{post_id}/")).status_code for post_id in newest]
        return differ(f"The statuses of {newest}", found, [200] * len(newest))


LOOKS: Final[tuple[Look, ...]] = (
    Glance.own_account,
    Glance.own_posts,
    Glance.own_subscriptions,
    Glance.post,
    Glance.inbox,
    Glance.home,
    Glance.top,
    Glance.as_nobody,
)
