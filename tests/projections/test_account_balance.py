"""The engine used for something that is no blog: accounts, the entries booked on them, and their balances."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from projections.engine.checkpoint import Connect, Connection
from projections.engine.projection import Projection
from projections.engine.rebuild import rebuild
from projections.engine.repair import repair
from projections.engine.verify import verify
from tests.projections.conftest import OpenRunner
from tests.support.foreign_projection import built
from tests.support.projection_spec import assert_table, differences

TABLES = """
CREATE TABLE entry (account uuid NOT NULL, cents bigint NOT NULL);
CREATE TABLE read_balance (account uuid PRIMARY KEY, balance bigint NOT NULL, entries int NOT NULL);
"""
BALANCES = Projection.parse(
    "balances",
    version=1,
    definition="""
-- table: read_balance
SELECT account, sum(cents)::bigint AS balance, count(*)::int AS entries
FROM entry
GROUP BY account
""",
    fold="""
-- fold: add_entries
-- on: EntryBooked
INSERT INTO read_balance AS r (account, balance, entries)
SELECT e.subject_id, sum((e.payload ->> 'cents')::bigint), count(*)
FROM step_event e
WHERE e.type = 'EntryBooked'
GROUP BY e.subject_id
ORDER BY e.subject_id
ON CONFLICT (account) DO UPDATE
SET balance = r.balance + excluded.balance,
    entries = r.entries + excluded.entries
""",
)

GIRO, SAVINGS = UUID(int=1), UUID(int=2)


@pytest.fixture
async def balances(sql: Connection, building: Connect) -> AsyncIterator[Projection]:
    async with built(sql, building, BALANCES, TABLES) as projection:
        yield projection


async def book(sql: Connection, account: UUID, cents: int) -> None:
    """Book an entry and append its event, in one transaction."""
    async with sql.transaction():
        await sql.execute("INSERT INTO entry VALUES ($1, $2)", account, cents)
        await sql.execute(
            "INSERT INTO event (type, subject_id, actor_id, payload) "
            "VALUES ('EntryBooked', $1, $1, jsonb_build_object('cents', $2::bigint))",
            account,
            cents,
        )


@pytest.mark.usefixtures("balances")
async def test_balances_follow_the_entries(sql: Connection, building: Connect, open_runner: OpenRunner) -> None:
    runner = open_runner(projections=[BALANCES])
    await book(sql, GIRO, 10_000)
    await book(sql, SAVINGS, 7)
    assert await runner.catch_up() == 2
    await book(sql, GIRO, -2_550)
    assert await runner.catch_up() == 1
    rows = [
        {"account": GIRO, "balance": 7_450, "entries": 2},
        {"account": SAVINGS, "balance": 7, "entries": 1},
    ]
    await assert_table(sql, "read_balance", rows)
    assert await runner.catch_up() == 0
    assert await differences(building, [BALANCES]) == []
    await rebuild(building, [BALANCES])
    await assert_table(sql, "read_balance", rows)


@pytest.mark.usefixtures("balances")
async def test_a_wrong_balance_is_found_and_mended(sql: Connection, building: Connect) -> None:
    await book(sql, GIRO, 100)
    await book(sql, SAVINGS, 100)
    assert await differences(building, [BALANCES]) == []
    await sql.execute("UPDATE read_balance SET balance = 1000000 WHERE account = $1", SAVINGS)
    (verified,) = await verify(building, [BALANCES])
    (difference,) = verified.differences
    assert difference.key == {"account": str(SAVINGS)}
    assert difference.found == {"account": str(SAVINGS), "balance": 1_000_000, "entries": 1}
    assert await repair(building, BALANCES, verified) == 1
    assert await differences(building, [BALANCES]) == []
