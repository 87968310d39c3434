"""Filling the shadow: every table from its definition, all at one snapshot, several at once over sessions of their own.

The rebuild calls it. What is finished when it is interrupted stays finished.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from projections.engine.checkpoint import Connect, Connection, current_snapshot
from projections.engine.connections import lose_locks_when_silent, opened
from projections.engine.projection import Projection, ReadTable
from projections.engine.report import Report
from projections.engine.shadow import Shadow
from projections.engine.snapshot import Snapshot

_LOOK_SECONDS: Final = 0.5
#: What a table with some indexes and nothing in it takes.
_EMPTY_BYTES: Final = 65_536

_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1
  AND c.relname = ANY ($2::text[])
"""


@dataclass(slots=True, kw_only=True)
class Filling:
    """One run: the tables still to be filled, and how many of each projection."""

    shadow: Shadow
    projections: Sequence[Projection]
    report: Report
    snapshot: Snapshot = field(init=False)
    exported: str = field(init=False)
    _queue: list[tuple[Projection, ReadTable]] = field(default_factory=list, init=False)
    _left: dict[str, int] = field(default_factory=dict, init=False)
    _seconds: dict[str, float] = field(default_factory=dict, init=False)
    _fingerprints: dict[str, str] = field(default_factory=dict, init=False)

    async def run(self, connect: Connect, *, sessions: int) -> None:
        """Fill all tables over so many sessions that `connect` opens; the shadow's own holds the snapshot meanwhile."""
        await self._prepare()
        connection = self.shadow.connection
        async with connection.transaction(isolation="repeatable_read"):
            self.snapshot = await current_snapshot(connection)
            self.exported = await connection.fetchval("SELECT pg_export_snapshot()")
            try:
                async with asyncio.TaskGroup() as tasks:
                    filling = [tasks.create_task(self._fill(connect)) for _ in range(min(sessions, len(self._queue)))]
                    tasks.create_task(self._watch(filling))
            except ExceptionGroup as group:
                raise group.exceptions[0] from group

    async def _prepare(self) -> None:
        sizes = {
            table.name: await table_bytes(self.shadow.connection, self.shadow.home, [table])
            for projection in self.projections
            for table in projection.tables
        }
        # Beforehand, so that what is altered meanwhile is noticed.
        self._fingerprints = await self.shadow.fingerprints(self.projections)
        for projection in self.projections:
            await self.shadow.forget(projection)
            self._left[projection.name] = len(projection.tables)
            self._seconds[projection.name] = 0.0
            for table in projection.tables:
                await self.shadow.create(table)
                self._queue.append((projection, table))
        # Taken from the end: the largest first, so that none is left alone at the end of the run.
        self._queue.sort(key=lambda entry: sizes[entry[1].name])
        expected = sum(sizes.values())
        what = f"Building {len(self._queue)} tables"
        self.report.begin(what, expected if expected > _EMPTY_BYTES * len(sizes) else None, "bytes")

    async def _fill(self, connect: Connect) -> None:
        async with opened(connect) as worker:
            await lose_locks_when_silent(worker)
            while self._queue:
                projection, table = self._queue.pop()
                await self._fill_one(worker, projection, table)

    async def _fill_one(self, worker: Connection, projection: Projection, table: ReadTable) -> None:
        began = time.monotonic()
        async with worker.transaction(isolation="repeatable_read"):
            await worker.execute(f"SET TRANSACTION SNAPSHOT '{self.exported}'")
            await self.shadow.fill(worker, table)
        await self.shadow.complete(worker, table)  # in transactions of their own: what they lock can be looked at soon
        self._seconds[projection.name] += time.monotonic() - began
        self._left[projection.name] -= 1
        if self._left[projection.name] == 0:
            await self.shadow.finish(
                worker,
                projection,
                snapshot=self.snapshot,
                fingerprint=self._fingerprints[projection.name],
                seconds=self._seconds[projection.name],
            )

    async def _watch(self, filling: Sequence["asyncio.Task[None]"]) -> None:
        """Say how far it is, over the session that holds the snapshot, which thereby stays awake."""
        tables = [table for projection in self.projections for table in projection.tables]
        while not all(task.done() for task in filling):
            await asyncio.wait(filling, timeout=_LOOK_SECONDS)
            self.report.reach(await table_bytes(self.shadow.connection, self.shadow.schema, tables))


async def table_bytes(connection: Connection, schema: str, tables: Sequence[ReadTable]) -> int:
    """Return what tables of a schema take on disk, with their indexes; while they are being filled, too."""
    return int(await connection.fetchval(_SIZE, schema, [table.name for table in tables]))
