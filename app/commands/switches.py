"""What stands between a person and a thing or doesn't, a like or a subscription: turned on, off, or over.

Each of these is one statement, which locks the thing's row, changes the switch's and appends the event last. One
round trip, one commit; PostgreSQL's unique key sees to it that a switch is never on twice.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.command_store import CommandStore, Committed, Statement
from app.errors import NotFound
from app.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The statements of one kind of switch, and the error when there is no such thing.

    Their parameters: $1 the person, $2 the thing, and $3 an id where a row may be added. They return no row when the
    thing isn't there, else `stands`, the state that they leave, and `token`.
    """

    on: str
    off: str
    over: str
    missing: type[NotFound]

    async def turn_on(self, store: CommandStore, person_id: UUID, thing_id: UUID) -> Committed[bool]:
        """Have it stand and return True; raises `missing`."""
        return self._state(await store.run(_statement(self.on, person_id, thing_id, new_id(), repeatable=True)))

    async def turn_off(self, store: CommandStore, person_id: UUID, thing_id: UUID) -> Committed[bool]:
        """Have it not stand and return False; raises `missing`."""
        return self._state(await store.run(_statement(self.off, person_id, thing_id, repeatable=True)))

    async def turn_over(self, store: CommandStore, person_id: UUID, thing_id: UUID) -> Committed[bool]:
        """Return whether it stands now; raises `missing`."""
        statement = _statement(self.over, person_id, thing_id, new_id(), repeatable=False)
        while (turned := self._state(await store.run(statement))).token is None:
            pass  # The same person turned it on since this statement began, and this one changed nothing.
        return turned

    def _state(self, answer: Committed[Any]) -> Committed[bool]:
        if answer.value is None:
            raise self.missing
        return Committed(answer.value["stands"], answer.token)


def _statement(sql: str, person_id: UUID, thing_id: UUID, *more: UUID, repeatable: bool) -> Statement:
    return Statement(sql=sql, values=(person_id, thing_id, *more), actor_id=person_id, repeatable=repeatable)
