"""One run's rows: how many of what, and the ids that nobody else has. The filling and the read rows go by it."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

Kind = Literal["user", "post", "like", "subscription", "notification"]

_KINDS: Final = {"user": 0, "post": 1, "like": 2, "subscription": 3, "notification": 4}
_COUNTER_BITS: Final = 48
_SUBSCRIPTIONS_PER_USER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much to make up."""

    users: int
    posts: int
    likes: int

    @property
    def subscriptions(self) -> int:
        """How many subscriptions go with so many users."""
        return self.users * min(_SUBSCRIPTIONS_PER_USER, self.users - 1)


@dataclass(frozen=True, slots=True)
class Ids:
    """UUIDs of version 7 (RFC 9562) that lie next to each other: a millisecond, random bits, the kind, a counter."""

    milliseconds: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    random: int = field(default_factory=lambda: secrets.randbits(12 + 8))

    def of(self, kind: Kind, number: int) -> UUID:
        """Return the id of the row of that kind with that number (from 0)."""
        high, low = self.random >> 8, self.random & 0xFF
        variant = 0b10 << 6 | _KINDS[kind]
        tail = (variant << 8 | low) << _COUNTER_BITS | number
        return UUID(int=self.milliseconds << 80 | 7 << 76 | high << 64 | tail)

    def prefix(self, kind: Kind) -> str:
        """Return the text before the last eight of the hexadecimal digits, which count in SQL."""
        return str(self.of(kind, 0))[:-8]

    def range(self, kind: Kind) -> tuple[UUID, UUID]:
        """Return the first and the last id of a kind."""
        return self.of(kind, 0), self.of(kind, (1 << _COUNTER_BITS) - 1)
