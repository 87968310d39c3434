"""A long event log: what a step reads of it depends on what is new, not on what was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from projections.engine.checkpoint import _READ, Connection, read_checkpoints
from projections.engine.retention import prune
from projections.engine.snapshot import Snapshot
from projections.engine.step import Step
from projections.engine.step_events import _COLLECT
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.projections.conftest import Connect as Further
from tests.support.blog import Blog, like_at

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD = 40_000
NEW = 6
BY_NAME = {projection.name: projection for projection in PROJECTIONS}

#: Old events in transactions of their own, as they would be in a log of some age; no fold knows them.
_OLD_EVENTS = """
INSERT INTO event (tx, type, subject_id, actor_id, at)
SELECT
    (1 + n % pg_current_xact_id()::text::bigint)::text::xid8,
    'TeaServed',
    gen_random_uuid(),
    gen_random_uuid(),
    now() - interval '1 year'
FROM generate_series(1, $1::bigint) n
ORDER BY {order}
"""

_READ_OF_EVENTS = "SELECT {counters} FROM pg_stat_xact_user_tables WHERE relid = 'public.event'::regclass"


@pytest.fixture(params=["never analyzed", "analyzed", "in no order", "pruned"])
async def log(blog: Blog, projector: Projector, connect: Further, request: pytest.FixtureRequest) -> Snapshot:
    """A long log, and a few events that are not folded yet, one of them of a transaction that began long before.

    Return the snapshot that the projections have reached.
    """
    fans = await blog.users(NEW)
    post = await blog.post(fans[0])
    await blog.sql.execute(_OLD_EVENTS.format(order="random()" if request.param == "in no order" else "1"), OLD)
    if request.param != "never analyzed":
        await blog.sql.execute("ANALYZE event")
    held = await connect()
    slow = held.transaction()
    await slow.start()
    await like_at(held, NOON, post=post, user=fans[0])
    await blog.user()  # ends while that one is in progress
    await projector.fold()
    await slow.commit()
    for fan in fans[1:]:
        await blog.like(post, fan)
    if request.param == "pruned":
        assert await prune(blog.sql, older_than=timedelta(0)) > OLD
    return Snapshot.parse(await blog.sql.fetchval("SELECT snapshot::text FROM checkpoint LIMIT 1"))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def rows_read(plan: dict[str, Any]) -> float:
    """Return how many rows of the log, or entries of its index, the plan has read."""
    parts = ("Actual Rows", "Rows Removed by Filter")
    return sum(
        float(node["Actual Loops"] * sum(node.get(part, 0) for part in parts))
        for node in nodes(plan)
        if node.get("Relation Name") == "event"
    )


async def explained(connection: Connection, statement: str, types: str, values: str) -> dict[str, Any]:
    await connection.execute(f"PREPARE statement ({types}) AS {statement}")
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE statement ({values})")
    await connection.execute("DEALLOCATE statement")
    plan: dict[str, Any] = orjson.loads(text)[0]["Plan"]
    return plan


async def test_a_step_reads_what_is_new_and_nothing_of_what_was(
    stepping: Connection, cluster: int, log: Snapshot
) -> None:
    async with stepping.transaction(isolation="repeatable_read"):
        standing = await read_checkpoints(stepping, BY_NAME, limit=20_000)
        assert {checkpoint.snapshot for checkpoint in standing.checkpoints} == {log}
        assert await Step(stepping, BY_NAME, system_identifier=cluster).fold_pending(standing) == NEW
        read = await stepping.fetchval(_READ_OF_EVENTS.format(counters="seq_tup_read + idx_tup_fetch"))
        assert 0 < read <= NEW * (2 * len(BY_NAME) + 1)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_its_statements_walk_the_index_from_the_snapshot_on(
    stepping: Connection, log: Snapshot, mode: str
) -> None:
    names, in_progress = (", ".join(f"'{each}'" for each in values) for values in (BY_NAME, log.in_progress))
    now = await stepping.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    await stepping.execute(f"SET plan_cache_mode = {mode}")
    for ahead in (20_000, 2):
        plan = await explained(stepping, _READ, "text[], bigint", f"ARRAY[{names}], {ahead}")
        assert 0 < rows_read(plan) <= len(BY_NAME) * (1 + min(ahead + 1, NEW))
    assert in_progress
    plan = await explained(stepping, _COLLECT, "text, text[], text", f"'{log.xmax}', ARRAY[{in_progress}], '{now}'")
    assert rows_read(plan) == NEW


@pytest.mark.usefixtures("log")
async def test_a_prune_never_scans_the_log(sql: Connection) -> None:
    await sql.execute(_OLD_EVENTS.format(order=1), 1_000)
    scans = _READ_OF_EVENTS.format(counters="seq_scan")
    async with sql.transaction():
        before = await sql.fetchval(scans)  # what this session has not reported yet counts as well
        assert await prune(sql, older_than=timedelta(0), chunk=300) >= 1_000
        assert await sql.fetchval(scans) == before
