"""Liking, following and reading notifications, as the machine knows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.soak.command import Claims, Command, Look, Witness
from tests.soak.oracle import Json, Oracle

#: PUT sets, DELETE removes, POST toggles.
Way: TypeAlias = Literal["PUT", "DELETE", "POST"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Like(Command):
    """A user likes a post, or no longer does."""

    of: str
    way: Way

    @property
    def post_id(self) -> str:
        return self.of

    def request(self) -> tuple[str, str, Json | None]:
        return self.way, f"/posts/{self.of}/like/", None

    def claims(self) -> Claims:
        return {("like", self.of, self.user_id): "whole"}

    def locks(self) -> Claims:
        return {("post", self.of): "share"}

    def status(self, oracle: Oracle) -> int:
        return 200 if self.of in oracle.posts else 404

    def fits(self, oracle: Oracle, body: Json) -> bool:
        return body == {"liked": _after(self.way, before=(self.of, self.user_id) in oracle.likes)}

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:
        oracle.like(self.of, self.user_id, liked=body["liked"], moment=moment)

    def truth(self, look: Look) -> Json | None:
        return {"liked": bool(look("likes WHERE post_id = $1 AND user_id = $2", self.of, self.user_id))}

    def witness(self, body: Json) -> Witness | None:
        return Witness(f"/posts/{self.of}/likes/?limit=100", _lists(self.user_id, listed=body["liked"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow(Command):
    """A user follows another, or no longer does."""

    target_id: str
    way: Way

    def request(self) -> tuple[str, str, Json | None]:
        return self.way, f"/users/{self.target_id}/subscribe/", None

    def claims(self) -> Claims:
        return {("follow", self.user_id, self.target_id): "whole"}

    def status(self, oracle: Oracle) -> int:  # noqa: ARG002 - users stay
        return 422 if self.target_id == self.user_id else 200

    def fits(self, oracle: Oracle, body: Json) -> bool:
        return body == {"subscribed": _after(self.way, before=(self.user_id, self.target_id) in oracle.follows)}

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:
        oracle.follow(self.user_id, self.target_id, subscribed=body["subscribed"], moment=moment)

    def truth(self, look: Look) -> Json | None:
        standing = look("subscriptions WHERE subscriber_id = $1 AND target_user_id = $2", self.user_id, self.target_id)
        return {"subscribed": bool(standing)}

    def turn(self, body: Json) -> int:
        return 0 if body["subscribed"] else 3

    def witness(self, body: Json) -> Witness | None:
        return Witness(
            f"/users/{self.target_id}/subscribers/?limit=100", _lists(self.user_id, listed=body["subscribed"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOne(Command):
    """A user reads the notification of a post."""

    of: str
    notification_id: str

    @property
    def post_id(self) -> str:
        return self.of

    def request(self) -> tuple[str, str, Json | None]:
        return "POST", f"/notifications/{self.notification_id}/read/", None

    def claims(self) -> Claims:
        return {("inbox", self.user_id): "whole"}

    def fits(self, oracle: Oracle, body: Json) -> bool:  # noqa: ARG002 - there is but one answer
        return body == {"id": self.notification_id, "is_read": True}

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:  # noqa: ARG002 - read is read
        oracle.notices[self.user_id, self.of].is_read = True

    def truth(self, look: Look) -> Json | None:
        return {} if look("notifications WHERE id = $1 AND is_read", self.notification_id) else None

    def turn(self, body: Json) -> int:  # noqa: ARG002 - always
        return 4

    def witness(self, body: Json) -> Witness | None:  # noqa: ARG002 - read is read
        return Witness(
            "/notifications/?limit=100",
            lambda status, page: status == 200 and all(item["id"] != self.notification_id for item in page["items"]),
            only_own=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAll(Command):
    """A user reads all notifications."""

    def request(self) -> tuple[str, str, Json | None]:
        return "POST", "/notifications/read-all/", None

    def claims(self) -> Claims:
        return {("inbox", self.user_id): "whole", ("deletion",): "whole"}

    def fits(self, oracle: Oracle, body: Json) -> bool:
        notices = oracle.notices_of(self.user_id).values()
        unread = sum(notice.arrived and notice.is_read is False for notice in notices)
        open_ = sum(notice.is_read is None or not notice.arrived for notice in notices)
        read: int = body["read"]
        return unread <= read <= unread + open_

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:  # noqa: ARG002 - read is read
        oracle.read_all(self.user_id, but=body.get("unread", ()))

    def truth(self, look: Look) -> Json | None:
        unread = look("notifications WHERE user_id = $1 AND NOT is_read", self.user_id)
        return {"unread": [row["post_id"] for row in unread]}

    def turn(self, body: Json) -> int:  # noqa: ARG002 - always
        return 4


def _lists(user_id: str, *, listed: bool) -> Callable[[int, Json], bool]:
    return lambda status, page: status == 200 and listed == (user_id in {item["user"]["id"] for item in page["items"]})


def _after(way: Way, *, before: bool) -> bool:
    return not before if way == "POST" else way == "PUT"
