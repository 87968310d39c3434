"""What stands between a person and a thing or doesn't, a like or a subscription: turned on, off, or over.

Each of these is one statement, which looks at the person's row, locks the thing's, changes the switch's and appends the
event last. One round trip, one commit; PostgreSQL's unique key sees to it that a switch is never on twice. With an
idempotency key it is part of a transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.command_store import CommandStore, Committed, Statement, Transaction
from app.errors import AccessEnded, NotFound
from app.idempotency import Once
from app.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The statements of one kind of switch, and the error when there is no such thing.

    Their parameters: $1 the person, $2 when the person's access token was issued, $3 the thing, and $4 an id where a
    row may be added. They return no row when the person may not write any more, else whether the thing was `found`,
    `stands`, the state that they leave, and `token`.
    """

    on: str
    off: str
    over: str
    missing: type[NotFound]

    async def turn_on(
        self, store: CommandStore, person_id: UUID, thing_id: UUID, *, issued_at: datetime | None
    ) -> Committed[bool]:
        """Have it stand and return True; raises `missing` or AccessEnded."""
        values = (person_id, issued_at, thing_id, new_id())
        return self._state(await store.run(_statement(self.on, values, repeatable=True)))

    async def turn_off(
        self, store: CommandStore, person_id: UUID, thing_id: UUID, *, issued_at: datetime | None
    ) -> Committed[bool]:
        """Have it not stand and return False; raises `missing` or AccessEnded."""
        values = (person_id, issued_at, thing_id)
        return self._state(await store.run(_statement(self.off, values, repeatable=True)))

    async def turn_over(
        self,
        store: CommandStore,
        person_id: UUID,
        thing_id: UUID,
        *,
        issued_at: datetime | None,
        once: Once[bool] | None = None,
    ) -> Committed[bool]:
        """Return whether it stands now; raises `missing` or AccessEnded."""
        statement = _statement(self.over, (person_id, issued_at, thing_id, new_id()), repeatable=False)
        if once is None:
            return await self._turned_over(store, statement)

        async def work(transaction: Transaction) -> bool:
            return (await self._turned_over(transaction, statement)).value

        return await store.transact(work, once=once)

    async def _turned_over(self, runs: CommandStore | Transaction, statement: Statement) -> Committed[bool]:
        while (turned := self._state(await runs.run(statement))).token is None:
            pass  # The same person turned it on since this statement began, and this one changed nothing.
        return turned

    def _state(self, answer: Committed[Any]) -> Committed[bool]:
        row = answer.value
        if row is None:
            raise AccessEnded
        if not row["found"]:
            raise self.missing
        return Committed(row["stands"], answer.token)


def _statement(sql: str, values: tuple[UUID | datetime | None, ...], *, repeatable: bool) -> Statement:
    person_id = values[0]
    assert isinstance(person_id, UUID)
    return Statement(sql=sql, values=values, actor_id=person_id, repeatable=repeatable)
