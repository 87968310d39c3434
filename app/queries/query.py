"""What every screen of the read side is: a frozen dataclass with its parameters that can be fetched."""

from typing import ClassVar, Protocol, TypeVar, runtime_checkable

from app.queries.reader import Reader

T_co = TypeVar("T_co", covariant=True)


class Query(Protocol[T_co]):
    """A screen: the projections it reads, and how. None means that there is no such thing."""

    reads: ClassVar[tuple[str, ...]]

    async def fetch(self, reader: Reader) -> T_co | None:
        """Read the screen."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A query that can tell whether more of its rows are on their way."""

    def settled(self, page: object) -> bool:
        """Say whether the page is complete."""
        ...
