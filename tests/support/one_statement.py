"""Commands that are one statement, run within a transaction by the stores that do something to transactions."""

from typing import Any

from app.command_store import CommandStore, Committed, Statement, Transaction, _Done


async def as_transaction(store: CommandStore, statement: Statement) -> Committed[Any]:
    """Run it by `store.transact`, and tell of it afterwards as `store.run` would."""

    async def work(transaction: Transaction) -> dict[str, Any] | None:
        rows = await transaction.fetch(statement.sql, *statement.values)
        return rows[0] if rows else None

    row = (await store.transact(work)).value
    token: str | None = row["token"] if row else None
    if token is not None:
        await store._tell(_Done(row, token, actors=(statement.actor_id,)), token)
    return Committed(row, token)
