"""What Hypothesis draws instead of commands: numbers, which become a command once it is known what there is.

So what is drawn never depends on what the system did before, and a failing example can be made smaller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Literal, TypeVar

from hypothesis import strategies as st

from tests.soak.command import Command
from tests.soak.oracle import Oracle
from tests.soak.people_commands import Follow, Like, ReadAll, ReadOne, Way
from tests.soak.post_commands import Delete, Edit, Publish

T = TypeVar("T")

Kind = Literal["like", "publish", "edit", "delete", "follow", "read one", "read all"]

#: How often each is drawn, among the others.
_WEIGHTS: dict[Kind, int] = {"like": 6, "publish": 4, "follow": 4, "edit": 2, "read one": 2, "read all": 1, "delete": 1}
_KINDS = [kind for kind, weight in _WEIGHTS.items() for _ in range(weight)]
_WAYS: tuple[Way, ...] = ("PUT", "POST", "DELETE")

_LONG = 20  # times as long as the others, so that an excerpt ends before the content does


@dataclass(frozen=True, slots=True)
class Act:
    """A user's intention: the numbers choose who, and what it is about, out of what there is."""

    kind: Kind
    who: int
    what: int
    way: Way


#: A single act, each part of which Hypothesis makes simpler where that is still a failure.
acts = st.builds(
    Act,
    kind=st.sampled_from(_KINDS),
    who=st.integers(0, 9),
    what=st.integers(0, 39),
    way=st.sampled_from(_WAYS),
)


def several(number: int, seed: int) -> list[Act]:
    """Return that many acts: fewer are the first of more."""
    random = Random(seed)
    return [
        Act(random.choice(_KINDS), who=random.randrange(10), what=random.randrange(40), way=random.choice(_WAYS))
        for _ in range(number)
    ]


class Script:
    """Makes commands of acts; its numbers make each title unlike any other."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._numbers = count(1)

    def command(self, act: Act) -> Command | None:
        """Return the command, or None where there is nothing to do it with."""
        user_id = choose(list(self._oracle.users), act.who)
        match act.kind:
            case "publish":
                return Publish(user_id=user_id, title=f"Post {next(self._numbers)}", content=self._content(act))
            case "follow":
                return Follow(user_id=user_id, target_id=choose(list(self._oracle.users), act.what), way=act.way)
            case "read all":
                return ReadAll(user_id=user_id)
            case "read one":
                return self._read_one(user_id, act)
            case _:
                return self._about_a_post(user_id, act) if self._oracle.authors else None

    def _about_a_post(self, user_id: str, act: Act) -> Command:
        if act.kind == "like":
            return Like(user_id=user_id, of=choose(self._posts(), act.what), way=act.way)
        own = [post.id for post in self._oracle.posts.values() if post.author_id == user_id]
        post_id = choose(own or self._posts(), act.what)
        if act.kind == "delete":
            return Delete(user_id=user_id, of=post_id)
        title = None if act.way == "PUT" else f"Post {next(self._numbers)}, edited"
        return Edit(user_id=user_id, of=post_id, title=title, content=self._content(act))

    def _posts(self) -> list[str]:
        """Return what stands, and the last that was deleted."""
        gone = [post_id for post_id in self._oracle.authors if post_id not in self._oracle.posts]
        return [*self._oracle.posts, *gone[-1:]]

    def _read_one(self, user_id: str, act: Act) -> ReadOne | None:
        arrived = [(post, notice) for post, notice in self._oracle.notices_of(user_id).items() if notice.arrived]
        if not arrived:
            return None
        post_id, notice = choose(arrived, act.what)
        return ReadOne(user_id=user_id, of=post_id, notification_id=notice.id)

    def _content(self, act: Act) -> str:
        return f"Words {next(self._numbers)}, Grüße, 誤字. " * (_LONG if act.what % 3 == 0 else 1) + "The end."


def choose(there_is: Sequence[T], number: int) -> T:
    """Return the one that the number chooses."""
    return there_is[number % len(there_is)]
