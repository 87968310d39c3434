"""Sends each query to a replica that is up to date, and to the primary when none is or when it can't answer.

The API calls `answer`, which keeps every promise of app.freshness; what is committed now, only the primary can say.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, TypeVar

from app.demand import Demand
from app.errors import Unavailable
from app.freshness import Fresh, Freshness
from app.queries.query import Query, Settling
from app.queries.reader import Reader
from app.replicas.look import FAILED
from app.replicas.milestones import Milestones, read_position
from app.replicas.replica import Replica
from app.replicas.watch import PATIENCE_SECONDS, Reason, look_seconds

log = logging.getLogger(__name__)

_UNANSWERED: Final[tuple[type[Exception], ...]] = (*FAILED, Unavailable)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is told of a replica: its number in READ_DATABASE_URL, and why it does not answer queries, if so.

    `seconds_behind` is how old what it shows may be: infinite before that is known.
    """

    number: int
    seconds_behind: float
    reason: Reason | None


class Replicas:
    """Answers queries; run `watching` as a task while it is used. Without replicas, the primary answers them all."""

    def __init__(
        self,
        primary: Freshness,
        replicas: Sequence[Replica] = (),
        *,
        lookout: Reader,
        milestones: Milestones,
        most_seconds: float,
    ) -> None:
        self._primary = primary
        self._replicas = replicas
        self._lookout = lookout
        self._milestones = milestones
        self._pause = look_seconds(most_seconds)
        self._turns = count()

    async def answer(
        self,
        query: Query[T],
        *,
        tokens: Sequence[int] = (),
        confirm: bool = False,
        accept_stale: bool = False,
    ) -> Fresh[T]:
        """Answer as Freshness does, from a replica where one can."""
        replica = self._next()
        if replica is not None:
            try:
                value = await self._ask(replica, query, tokens=tuple(tokens), confirm=confirm)
            except _UNANSWERED as error:
                log.debug("A replica did not answer, the primary does: %r", error)
                replica.watch.suspect()
            else:
                if value is None or not isinstance(query, Settling) or query.settled(value):
                    return Fresh(value, stale=False)
        return await self._primary.answer(query, tokens=tokens, confirm=confirm, accept_stale=accept_stale)

    async def watching(self) -> None:
        """Look how far the primary and its replicas are, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for replica in self._replicas:
                tasks.create_task(replica.watch.watching())
            if self._replicas:
                tasks.create_task(self._passing_milestones())

    def standings(self) -> list[Standing]:
        """Return how it stands with each replica."""
        return [
            Standing(number, replica.watch.seconds_behind, replica.watch.reason)
            for number, replica in enumerate(self._replicas, start=1)
        ]

    def _next(self) -> Replica | None:
        fit = [replica for replica in self._replicas if replica.watch.reason is None]
        return fit[next(self._turns) % len(fit)] if fit else None

    async def _ask(self, replica: Replica, query: Query[T], *, tokens: tuple[int, ...], confirm: bool) -> T | None:
        demand = Demand(projections=query.reads, tokens=tokens)
        if confirm:
            demand = replace(await self._primary.all_committed(query.reads), tokens=tokens)
        value = await replica.fetch(query, demand)
        if value is None and not confirm:
            value = await replica.fetch(query, await self._primary.all_committed(query.reads))
        return value

    async def _passing_milestones(self) -> None:
        lost = False
        while True:
            at = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS), self._lookout.held() as primary:
                    self._milestones.add(await read_position(primary), at=at)
                lost = False
            except FAILED as error:
                if not lost:
                    log.warning("The primary does not say how far it is, so no replica can be believed: %s", error)
                lost = True
            await asyncio.sleep(self._pause)
