"""A realistic mix of people against a running Inkfold: readers, likers, followers, writers and analysts.

Whoever changes something reads it back at once; an answer that does not show it is a failure. How many come of each,
and how slow, faulty or late it may be, is said on the command line.
"""

import datetime as dt
import itertools
import random
import urllib.parse

from locust import between, task

from loadtests import thresholds
from loadtests.person import ACCOUNTS, Account, Json, Person

__all__ = ["Analyst", "Follower", "Liker", "Reader", "Writer", "thresholds"]

ZONES = ["UTC", "UTC", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]
LOOKS_FURTHER = 0.3  # share of the readers of a page who turn to the next
WORDS = ["ink", "fold", "paper", "press", "margin", "letter", "draft", "proof", "galley", "quire", "serif"]


class Visitor(Person):
    """Only reads; every other one has not signed in, the others share a few accounts."""

    abstract = True
    signs_in = itertools.cycle([True, False])

    def on_start(self) -> None:
        """Come with a shared account, or with none."""
        self.posts, self.authors = [], []
        self.account = Account()
        if next(self.signs_in):
            self.account = ACCOUNTS.shared()
            self.sign_in()

    def on_stop(self) -> None:
        """Keep the shared account among the shared."""


class Reader(Visitor):
    """Reads what is there."""

    weight = 68

    @task(30)
    def feed(self) -> None:
        """Look at the newest posts, now and then at older ones too."""
        cursor = self.browse().get("next_cursor")
        if cursor and random.random() < LOOKS_FURTHER:
            self.browse(query=f"?cursor={cursor}")

    @task(40)
    def post(self) -> None:
        """Open a post."""
        if post_id := self.pick_post():
            self.open_post(post_id)

    @task(15)
    def top(self) -> None:
        """Look at the ten most liked."""
        self.browse("/posts/top/")

    @task(8)
    def who_liked(self) -> None:
        """See who liked a post."""
        if post_id := self.pick_post():
            self.call("GET", f"/posts/{post_id}/likes/", name="/posts/{post_id}/likes/", accept=(200, 404))


class Liker(Person):
    """Likes and unlikes, and sees it at once."""

    weight = 20

    @task(2)
    def feed(self) -> None:
        """Find something to like."""
        self.browse()

    @task(3)
    def like(self) -> None:
        """Turn a like over, and open the post: it shows the like as this account left it."""
        if (post_id := self.pick_post()) is None:
            return
        answer = self.call("POST", f"/posts/{post_id}/like/", name="/posts/{post_id}/like/", accept=(200, 404))
        if "liked" in answer:
            liked = answer["liked"]
            self.open_post(
                post_id,
                expect=lambda post: post["liked_by_me"] is liked and post["like_count"] >= int(liked),
                complaint=f"own write not read: liked_by_me is not {liked} right after the like said so",
            )


class Follower(Person):
    """Subscribes to authors and reads what they publish."""

    weight = 7

    @task(2)
    def subscribe(self) -> None:
        """Follow an author of the last page, and find oneself following."""
        self.browse()
        others = [author for author in self.authors if author != self.account.user_id]
        if not others:
            return
        author = random.choice(others)
        answer = self.call("PUT", f"/users/{author}/subscribe/", name="/users/{user_id}/subscribe/")
        if answer:
            self.call(
                "GET",
                "/users/subscriptions/",
                expect=lambda page: author in {item["user"]["id"] for item in page["items"]} or _goes_on(page),
                complaint="own write not read: the subscription is not listed right after it was made",
            )

    @task(5)
    def home(self) -> None:
        """Read the feed of those one follows, and open its first post."""
        if cards := self.browse("/feed/").get("items"):
            self.open_post(cards[0]["id"])

    @task(4)
    def notifications(self) -> None:
        """Look at the unread notifications and read one; it is unread no longer."""
        items = self.call("GET", "/notifications/").get("items")
        if not items:
            return
        read = items[0]["id"]
        path, name = f"/notifications/{read}/read/", "/notifications/{notification_id}/read/"
        self.call("POST", path, name=name, accept=(200, 404))
        self.call(
            "GET",
            "/notifications/",
            expect=lambda page: read not in {item["id"] for item in page["items"]},
            complaint="own write not read: a notification is unread right after it was read",
        )


class Writer(Person):
    """Publishes, edits and seldom deletes, and sees it at once."""

    weight = 3
    wait_time = between(5, 15)

    def on_start(self) -> None:
        """Begin with a first post, so that an empty blog fills."""
        super().on_start()
        self.own: list[str] = []
        self.publish()

    @task(5)
    def publish(self) -> None:
        """Publish a post and open it."""
        post = self.call("POST", "/posts/", json=_text(), accept=(201,))
        if post:
            self.own.append(post["id"])
            self._sees(post["id"], post["title"])

    @task(3)
    def edit(self) -> None:
        """Write a post anew and open it."""
        if self.own:
            post_id, text = random.choice(self.own), _text()
            if self.call("PUT", f"/posts/{post_id}/", name="/posts/{post_id}/", json=text):
                self._sees(post_id, text["title"])

    @task(1)
    def delete(self) -> None:
        """Delete one's oldest post; it is gone."""
        if self.own:
            path, name = f"/posts/{self.own.pop(0)}/", "/posts/{post_id}/"
            self.call("DELETE", path, name=name, accept=(204,))
            self.call("GET", path, name=name, accept=(404,))

    def _sees(self, post_id: str, title: str) -> None:
        self.call(
            "GET",
            f"/posts/{post_id}/",
            name="/posts/{post_id}/",
            expect=lambda post: post["title"] == title,
            complaint="own write not read: the post does not have the title just given to it",
        )


class Analyst(Visitor):
    """Looks at when likes were given: to all posts, to an author's or to one."""

    weight = 2

    @task(6)
    def month(self) -> None:
        """Look at the last thirty days."""
        self._look(days=30)

    @task(3)
    def year(self) -> None:
        """Look at a year by day, as it is where one lives."""
        self._look(days=365, tz=random.choice(ZONES))

    @task(1)
    def decade(self) -> None:
        """Look at ten years by day."""
        self._look(days=3_650)

    @task(2)
    def author(self) -> None:
        """Look at the year of an author on the last page."""
        self.browse()
        if self.authors:
            self._look(days=365, author_id=random.choice(self.authors))

    @task(2)
    def of_post(self) -> None:
        """Look at a post's quarter."""
        if post_id := self.pick_post():
            self._look(days=90, post_id=post_id)

    def _look(self, *, days: int, **more: str) -> None:
        """Ask for a period that ends today: its series has every day, and adds up to its total."""
        today = dt.datetime.now(dt.UTC).date()
        query = {"from": str(today - dt.timedelta(days=days - 1)), "to": str(today), "granularity": "day", **more}
        self.call(
            "GET",
            f"/analytics/likes/?{urllib.parse.urlencode(query)}",
            name=f"/analytics/likes/ ({days} days)",
            expect=lambda answer: (
                len(answer["series"]) == days and sum(point["likes"] for point in answer["series"]) == answer["total"]
            ),
            complaint=f"{days} days were asked for, and the series has another number or another sum than the total",
        )


def _goes_on(page: Json) -> bool:
    return page.get("next_cursor") is not None


def _text() -> Json:
    title = " ".join(random.choices(WORDS, k=5)).capitalize()
    paragraphs = [" ".join(random.choices(WORDS, k=60)) for _ in range(random.randint(1, 5))]
    return {"title": title, "content": "\n\n".join(paragraphs)}
