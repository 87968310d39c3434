"""Publishing, editing and deleting a post, as the machine knows it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.command import Claims, Command, Look, Witness
from tests.soak.oracle import Json, Oracle

_POST = "posts WHERE id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Command):
    """A new post; its title is like no other's."""

    title: str
    content: str

    def request(self) -> tuple[str, str, Json | None]:
        return "POST", "/posts/", {"title": self.title, "content": self.content}

    def status(self, oracle: Oracle) -> int:  # noqa: ARG002 - nobody is refused
        return 201

    def fits(self, oracle: Oracle, body: Json) -> bool:
        new = body["id"] not in oracle.authors and body["version"] == 1
        return new and (body["title"], body["content"]) == (self.title, self.content)

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:
        oracle.publish(self.user_id, body, moment=moment)

    def truth(self, look: Look) -> Json | None:
        return next(iter(look("posts WHERE title = $1", self.title)), None)

    def turn(self, body: Json) -> int:  # noqa: ARG002 - always
        return 1

    def witness(self, body: Json) -> Witness | None:
        return Witness(f"/posts/{body['id']}/", _has(title=self.title, content=self.content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Command):
    """A post's content changes, and its title if there is one."""

    of: str
    title: str | None
    content: str

    @property
    def post_id(self) -> str:
        return self.of

    def request(self) -> tuple[str, str, Json | None]:
        change = {"content": self.content} if self.title is None else {"title": self.title, "content": self.content}
        return "PATCH", f"/posts/{self.of}/", change

    def claims(self) -> Claims:
        return {("edit", self.of): "whole"}

    def locks(self) -> Claims:
        return {("post", self.of): "edit"}

    def status(self, oracle: Oracle) -> int:
        return _status_for_author(oracle, self.of, self.user_id, done=200)

    def fits(self, oracle: Oracle, body: Json) -> bool:
        before = oracle.posts[self.of]
        after = (before.version + 1, self.title or before.title, self.content)
        return (body["version"], body["title"], body["content"]) == after

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:  # noqa: ARG002 - no list shows when
        oracle.edit(self.of, body)

    def truth(self, look: Look) -> Json | None:
        return next(iter(look(_POST, self.of)), None)

    def witness(self, body: Json) -> Witness | None:
        return Witness(f"/posts/{self.of}/", _has(title=body["title"], content=body["content"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Command):
    """A post goes."""

    of: str

    @property
    def post_id(self) -> str:
        return self.of

    def request(self) -> tuple[str, str, Json | None]:
        return "DELETE", f"/posts/{self.of}/", None

    def claims(self) -> Claims:
        return {("deletion",): "share"}

    def locks(self) -> Claims:
        return {("post", self.of): "whole"}

    def status(self, oracle: Oracle) -> int:
        return _status_for_author(oracle, self.of, self.user_id, done=204)

    def fits(self, oracle: Oracle, body: Json) -> bool:  # noqa: ARG002 - there is but one answer
        return not body

    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:  # noqa: ARG002 - gone is gone
        oracle.delete(self.of)

    def truth(self, look: Look) -> Json | None:
        return None if look(_POST, self.of) else {}

    def turn(self, body: Json) -> int:  # noqa: ARG002 - always
        return 5

    def witness(self, body: Json) -> Witness | None:  # noqa: ARG002 - gone is gone
        return Witness(f"/posts/{self.of}/", lambda status, _: status == 404)


def _has(**fields: str) -> Callable[[int, Json], bool]:
    """Return a check that an answer has these fields."""
    return lambda status, body: status == 200 and all(body[name] == value for name, value in fields.items())


def _status_for_author(oracle: Oracle, post_id: str, user_id: str, *, done: int) -> int:
    post = oracle.posts.get(post_id)
    if post is None:
        return 404
    return done if post.author_id == user_id else 403
