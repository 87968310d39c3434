"""Whether whoever sends a command may write still: not deactivated, and not signed out everywhere since then.

Every command of a signed-in user asks, in its own statement or transaction, so a refusal counts at once; and so does
one that was done already and is answered again. It never
locks the caller's row: what is under way when an account is deactivated may be the last thing that it does.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from app.command_store import Transaction
from app.errors import AccessEnded
from app.idempotency import Admit, Fetch

#: For a statement's WITH. $1: the caller; $2: when the caller's access token was issued, or NULL for none.
#: No row: the caller is refused.
CALLER: Final = """caller AS (
    SELECT id
    FROM users
    WHERE id = $1 AND is_active AND coalesce(tokens_since <= $2, true)
)"""

_ADMIT: Final = f"WITH {CALLER} SELECT id FROM caller"


async def admit(transaction: Transaction, user_id: UUID, token_issued_at: datetime | None) -> None:
    """Let a caller's transaction go on; raises AccessEnded."""
    await admission(user_id, token_issued_at)(transaction.fetch)


def admission(user_id: UUID, token_issued_at: datetime | None) -> Admit:
    """Return what asks whether a caller may write still, and raises AccessEnded."""

    async def ask(fetch: Fetch) -> None:
        if not await fetch(_ADMIT, user_id, token_issued_at):
            raise AccessEnded

    return ask
