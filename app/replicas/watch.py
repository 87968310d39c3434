"""Watches one replica: whether it may answer queries, and when it has come further; says so in the log."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from math import inf
from typing import Final

from app.demand import Demand
from app.queries.reader import Reader
from app.replicas.look import FAILED, Origin, Seen, look
from app.replicas.milestones import Milestones, Position
from projections.engine.snapshot import Snapshot

log = logging.getLogger(__name__)

#: A server that takes longer to say how far it is counts as gone.
PATIENCE_SECONDS: Final = 1.0
_HURRIED_SECONDS: Final = 0.01


class Reason(StrEnum):
    """Why a replica does not answer queries."""

    NEW = "not looked at yet"
    UNREACHABLE = "unreachable"
    LAGGING = "lagging"
    OTHER_CLUSTER = "other cluster"
    NO_STANDBY = "no standby"
    OTHER_TIMELINE = "other timeline"


_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.NEW: "nobody has looked yet how far it is",
    Reason.UNREACHABLE: "it does not say how far it is",
    Reason.LAGGING: "what it shows may be too old",
    Reason.OTHER_CLUSTER: "it belongs to another PostgreSQL cluster than DATABASE_URL; check READ_DATABASE_URL",
    Reason.NO_STANDBY: "it is no standby; it may have been promoted; check READ_DATABASE_URL",
    Reason.OTHER_TIMELINE: "it follows another primary, or has not followed this one past a promotion yet",
}


class Watch:
    """One per replica; run `watching` as a task. `name` is what the log calls it."""

    def __init__(self, reader: Reader, milestones: Milestones, *, name: str, most_seconds: float) -> None:
        self.reason: Reason | None = Reason.NEW
        self._reader = reader
        self._milestones = milestones
        self._name = name
        self._most = most_seconds
        self._as_of = -inf
        self._began = inf
        self._reached: Mapping[str, Snapshot] = {}
        self._attempts: set[asyncio.Timeout] = set()
        self._waiting = 0
        self._hurry = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def seconds_behind(self) -> float:
        """How old what the replica shows may be; infinite before that is known."""
        return asyncio.get_running_loop().time() - self._as_of

    async def watching(self) -> None:
        """Look again and again, until cancelled; more often while someone waits."""
        while True:
            await self._look()
            news, self._news = self._news, asyncio.Event()
            news.set()
            await asyncio.sleep(_HURRIED_SECONDS)
            if self._milestones.latest and not self._waiting:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(look_seconds(self._most)):
                        await self._hurry.wait()
            self._hurry.clear()

    def suspect(self) -> None:
        """Look now: something went wrong there."""
        self._hurry.set()

    async def until_met(self, demand: Demand) -> None:
        """Wait for a look at which the replica meets the demand."""
        self._waiting += 1
        self._hurry.set()
        try:
            while True:
                await self._news.wait()
                if demand.met(self._reached):
                    return
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def abandoning(self) -> AsyncIterator[None]:
        """Raise TimeoutError inside the block as soon as the replica turns out to be gone."""
        async with asyncio.timeout(None) as attempt:
            self._attempts.add(attempt)
            try:
                yield
            finally:
                self._attempts.discard(attempt)

    async def _look(self) -> None:
        position = self._milestones.latest
        if position is None:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._reader.held() as reader:
                seen, origin = await look(reader, cluster=position.cluster)
        except FAILED as error:
            self._turn(Reason.UNREACHABLE, error)
            for attempt in self._attempts:
                attempt.reschedule(0)
            self._attempts.clear()
        else:
            self._reached = seen.reached
            self._turn(self._judge(seen, origin, position))

    def _judge(self, seen: Seen, origin: Origin, primary: Position) -> Reason | None:
        if origin.cluster != primary.cluster:
            return Reason.OTHER_CLUSTER
        if seen.lsn is None:
            return Reason.NO_STANDBY
        if origin.timeline != primary.timeline:
            return Reason.OTHER_TIMELINE
        as_of = self._milestones.reflected(seen.lsn)
        if as_of > -inf:
            self._as_of = as_of
        now = asyncio.get_running_loop().time()
        # Whoever comes back must be well within the bound, or it would come and go.
        if now - as_of <= (self._most if self.reason is None else self._most / 2):
            return None
        self._began = min(self._began, now)
        return Reason.NEW if self.reason is Reason.NEW and now - self._began <= self._most else Reason.LAGGING

    def _turn(self, reason: Reason | None, error: Exception | None = None) -> None:
        before, self.reason = self.reason, reason
        if reason is None and before is not None:
            log.info("%s answers queries.", self._name)
        elif reason is not None and reason != before:
            passing = reason in {Reason.LAGGING, Reason.UNREACHABLE}
            log.log(
                logging.WARNING if passing else logging.ERROR,
                "%s answers no queries until that is over: %s%s.",
                self._name,
                _SENTENCES[reason],
                f" ({str(error) or type(error).__name__})" if error else "",
            )


def look_seconds(most_seconds: float) -> float:
    """Return how often to look how far servers are, so that one which is up to date is never taken for a late one."""
    return min(most_seconds / 5, 1.0)
