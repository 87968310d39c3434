"""What a command is to the machine: a request, what may be answered, and what becomes true."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.soak.oracle import Json, Oracle

#: Returns rows of a normalized table: look("likes WHERE post_id = $1", post_id).
Look: TypeAlias = Callable[..., list[Json]]

#: What a command works on, and how. Of two who claim one thing, only "share" goes with "share" and with "edit".
Claims: TypeAlias = Mapping[tuple[str, ...], Literal["share", "edit", "whole"]]


@dataclass(frozen=True, slots=True)
class Witness:
    """A read that must show a command's effect at once: to its user, and to anybody who has its token."""

    path: str
    shows: Callable[[int, Json], bool]
    only_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(ABC):
    """Something that a user does over HTTP."""

    user_id: str

    @abstractmethod
    def request(self) -> tuple[str, str, Json | None]:
        """Return method, path and body."""

    @abstractmethod
    def fits(self, oracle: Oracle, body: Json) -> bool:
        """Say whether this may be answered to it now."""

    @abstractmethod
    def apply(self, oracle: Oracle, body: Json, moment: int) -> None:
        """Let the oracle know what was answered."""

    @abstractmethod
    def truth(self, look: Look) -> Json | None:
        """Return what would be answered where the normalized tables stand as they do; None if it has not happened."""

    def claims(self) -> Claims:
        """Return what must be its own for its outcome to be certain."""
        return {}

    def locks(self) -> Claims:
        """Return what it locks besides, until its transaction ends."""
        return {}

    def status(self, oracle: Oracle) -> int:  # noqa: ARG002 - some may be refused
        """Return the status that must be answered."""
        return 200

    def turn(self, body: Json) -> int:  # noqa: ARG002 - for some the answer tells
        """Return when it becomes true, among those done at once: this way the oracle leaves open what is open."""
        return 2

    def witness(self, body: Json) -> Witness | None:  # noqa: ARG002 - what is to be seen
        """Return a read that shows what was answered."""
        return None

    @property
    def post_id(self) -> str | None:
        """The post that it dies with."""
        return None

    def __str__(self) -> str:
        method, path, _ = self.request()
        return f"{self.user_id[-4:]} {method} {path}"


def clash(one: Claims, other: Claims) -> bool:
    """Say whether two claims do not go together."""
    return any({one[key], other[key]} not in ({"share"}, {"share", "edit"}) for key in one.keys() & other.keys())
