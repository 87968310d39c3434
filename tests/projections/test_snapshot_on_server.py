"""Snapshots in Python and in PostgreSQL: the same text, and the same transactions seen."""

from random import Random

from projections.engine.checkpoint import Connection, current_snapshot
from projections.engine.snapshot import Snapshot
from tests.projections.conftest import Connect

_SEEN = """
SELECT s::pg_snapshot::text AS text, array_agg(xid ORDER BY xid) FILTER (
    WHERE pg_visible_in_snapshot(xid::text::xid8, s::pg_snapshot)
) AS seen
FROM unnest($1::text[]) AS s
CROSS JOIN generate_series(1, 45) AS xid
GROUP BY s
"""


def some_snapshots(random: Random, *, number: int) -> list[Snapshot]:
    """Return snapshots of few transactions, so that all of what they see can be listed."""
    found = []
    for _ in range(number):
        xmax = random.randint(3, 40)
        running = frozenset(random.sample(range(1, xmax), random.randint(0, min(6, xmax - 1))))
        whole = Snapshot(min(running, default=xmax), xmax, running)
        found += [whole, whole.cut(random.randint(1, 40))]
    return found


async def test_sees_what_postgresql_sees(sql: Connection) -> None:
    snapshots = {str(snapshot): snapshot for snapshot in some_snapshots(Random(7), number=300)}
    rows = await sql.fetch(_SEEN, list(snapshots))
    assert {row["text"] for row in rows} == snapshots.keys()
    for row in rows:
        snapshot = snapshots[row["text"]]
        assert (row["seen"] or []) == [xid for xid in range(1, 46) if snapshot.sees(xid)]


async def test_postgresqls_own_snapshots_are_read(sql: Connection, connect: Connect) -> None:
    held = [await connect() for _ in range(3)]
    transactions = [connection.transaction() for connection in held]
    running = set()
    for connection, transaction in zip(held, transactions, strict=True):
        await transaction.start()
        running.add(int(await connection.fetchval("SELECT pg_current_xact_id()::text")))
    await sql.execute("SELECT pg_current_xact_id()")
    before = await current_snapshot(sql)
    assert before.in_progress >= running
    await transactions[0].commit()
    after = await current_snapshot(sql)
    assert after.covers(before)
    assert not before.covers(after)
    assert after.age > before.age
