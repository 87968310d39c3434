"""One replica: answers a query when it can prove that it knows enough, and else leaves it to the primary."""

import asyncio
from typing import TypeVar

from app.demand import Demand
from app.errors import ProjectionLagging
from app.queries.query import Query
from app.queries.reader import Reader
from app.replicas.look import glance
from app.replicas.milestones import Milestones
from app.replicas.watch import Watch

T = TypeVar("T")


class Replica:
    """Nothing that was learnt earlier counts: the proof comes over the connection that the answer comes over.

    So it holds whatever happened in between, be it a crash that took the replica back, a promotion, or another server
    behind the same name.
    """

    def __init__(
        self, reader: Reader, watch: Watch, milestones: Milestones, *, wait_seconds: float, most_seconds: float
    ) -> None:
        self.watch = watch
        self._reader = reader
        self._milestones = milestones
        self._wait = wait_seconds
        self._most = most_seconds

    async def fetch(self, query: Query[T], demand: Demand) -> T | None:
        """Fetch the query once the replica meets the demand.

        Raises ProjectionLagging when it shows what is too old, TimeoutError past its wait limit or when it turns out
        to be gone, and whatever asyncpg raises.
        """
        until = asyncio.get_running_loop().time() + self._wait
        async with self.watch.abandoning():
            while True:
                async with self._reader.held() as reader:
                    if await self._meets(demand, reader):
                        return await query.fetch(reader)
                async with asyncio.timeout_at(until):
                    await self.watch.until_met(demand)

    async def _meets(self, demand: Demand, reader: Reader) -> bool:
        position = self._milestones.latest
        assert position is not None
        seen = await glance(reader, cluster=position.cluster)
        now = asyncio.get_running_loop().time()
        if seen.lsn is None or now - self._milestones.reflected(seen.lsn) > self._most:
            raise ProjectionLagging
        return demand.met(seen.reached)
