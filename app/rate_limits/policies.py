"""What is limited, and to how much: each setting's text as a policy."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from limits import RateLimitItem, parse

from app.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `quota` of something within a window of `seconds`, which begins with the first."""

    name: str
    #: What is counted, as a sentence calls it.
    counted: str
    item: RateLimitItem

    @classmethod
    def parse(cls, text: str, name: str, *, counted: str) -> Self | None:
        """Return the policy of a setting like `600/minute`; None of an empty one."""
        if not text:
            return None
        item = parse(text)
        item.namespace = name
        return cls(name, counted, item)

    @property
    def quota(self) -> int:
        """How many a window allows."""
        return self.item.amount

    @property
    def seconds(self) -> int:
        """How long a window lasts."""
        return self.item.get_expiry()


class Standing(NamedTuple):
    """How someone stands with a policy: how many are left, and in how many seconds a new window begins."""

    policy: Policy
    left: int
    seconds: int
    refused: bool

    def error(self) -> RateLimited:
        """Return what a refused request is answered with."""
        quota, window = f"{self.policy.quota:,}", f"{self.policy.seconds:,}"
        return RateLimited(
            f"There were too many {self.policy.counted}: {quota} in {window} seconds are allowed. "
            f"Try again in {self.seconds:,} second{'' if self.seconds == 1 else 's'}.",
            retry_after_seconds=self.seconds,
        )


Standings = tuple[Standing, ...]


def refusal(standings: Standings) -> RateLimited | None:
    """Return what to answer when any of the policies refuses."""
    return next((standing.error() for standing in standings if standing.refused), None)
