"""Cursors: a list's last shown position as short opaque text, bound to the one list that it was made for.

Queries encode and decode them. A cursor grants nothing: whoever forges one only begins elsewhere in the same list.
"""

import struct
from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final, Generic, Self, TypeVar
from uuid import UUID

from app.errors import InvalidCursor

K = TypeVar("K", datetime, int)

#: The list's tag, the key, the id: 30 bytes, which are 40 letters without padding.
_FORM: Final = struct.Struct(">6sq16s")
_LETTERS: Final = 40
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST_ID: Final = UUID(int=2**128 - 1)
_INT4_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Keyset(ABC, Generic[K]):
    """One list, walked downwards by (key, id). Lists of different names or scopes refuse one another's cursors."""

    tag: bytes

    @classmethod
    def of(cls, name: str, *scope: UUID) -> Self:
        """Make the keyset of the list `name`, of those users or posts that the list belongs to."""
        label = b"".join([name.encode(), *(part.bytes for part in scope)])
        return cls(blake2b(label, digest_size=6).digest())

    def encode(self, key: K, identifier: UUID) -> str:
        """Return the cursor after which a list goes on below (key, identifier)."""
        return urlsafe_b64encode(_FORM.pack(self.tag, self._number(key), identifier.bytes)).decode()

    def position(self, cursor: str | None) -> tuple[K, UUID]:
        """Return where to go on: below this position; without a cursor, one that is above every row.

        Raises InvalidCursor for anything that `encode` of this very list does not give.
        """
        if cursor is None:
            return self._top(), _LAST_ID
        try:
            if len(cursor) != _LETTERS:
                raise InvalidCursor(field="cursor")
            tag, number, identifier = _FORM.unpack(urlsafe_b64decode(cursor))
            key, last = self._key(number), UUID(bytes=identifier)
        except (ValueError, OverflowError, struct.error) as error:
            raise InvalidCursor(field="cursor") from error
        if tag != self.tag or self.encode(key, last) != cursor:
            raise InvalidCursor(field="cursor")
        return key, last

    @abstractmethod
    def _top(self) -> K: ...

    @abstractmethod
    def _number(self, key: K) -> int: ...

    @abstractmethod
    def _key(self, number: int) -> K:
        """Raise ValueError or OverflowError for a number that no key has."""


class Newest(Keyset[datetime]):
    """A list with the newest first."""

    __slots__ = ()

    def _top(self) -> datetime:
        return datetime.max.replace(tzinfo=UTC)

    def _number(self, key: datetime) -> int:
        return (key - _EPOCH) // _MICROSECOND

    def _key(self, number: int) -> datetime:
        return _EPOCH + timedelta(microseconds=number)


class MostLiked(Keyset[int]):
    """A list with the most liked first. Its keys are PostgreSQL integers from zero up."""

    __slots__ = ()

    def _top(self) -> int:
        return _INT4_MAX

    def _number(self, key: int) -> int:
        return key

    def _key(self, number: int) -> int:
        if not 0 <= number <= _INT4_MAX:
            raise ValueError("not a number of likes")
        return number
