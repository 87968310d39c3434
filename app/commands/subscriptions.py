"""Following a user and ceasing to."""

from dataclasses import dataclass
from uuid import UUID

from app.command_store import CommandStore, Committed, Transaction
from app.errors import SelfSubscription, UserNotFound
from app.events import UserSubscribed, UserUnsubscribed
from app.ids import new_id

_SUBSCRIBE = """
WITH target AS (
    SELECT id FROM users WHERE id = $3 FOR KEY SHARE
),

begun AS (
    INSERT INTO subscriptions (id, subscriber_id, target_user_id)
    SELECT $1, $2, target.id FROM target
    ON CONFLICT (target_user_id, subscriber_id) DO NOTHING
    RETURNING id
)

SELECT begun.id IS NOT NULL AS changed
FROM target
LEFT JOIN begun ON true
"""

_UNSUBSCRIBE = """
WITH ended AS (
    DELETE FROM subscriptions WHERE target_user_id = $2 AND subscriber_id = $1 RETURNING id
)

SELECT ended.id IS NOT NULL AS changed
FROM users u
LEFT JOIN ended ON true
WHERE u.id = $2
"""

# Two toggles of one pair must not both see the same state; the lock takes no transaction id.
_LOCK_PAIR = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::uuid::text, 1))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Let the subscriber follow the target; twice is as good as once."""

    subscriber_id: UUID
    target_user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """Let the subscriber not follow the target; twice is as good as once."""

    subscriber_id: UUID
    target_user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleSubscription:
    """Follow the target if the subscriber does not, else cease to."""

    subscriber_id: UUID
    target_user_id: UUID


async def subscribe(store: CommandStore, command: Subscribe) -> Committed[bool]:
    """Return True: the subscriber follows the target now. Raises UserNotFound or SelfSubscription."""

    async def work(transaction: Transaction) -> bool:
        await _subscribe(transaction, command)
        return True

    return await store.transact(work)


async def unsubscribe(store: CommandStore, command: Unsubscribe) -> Committed[bool]:
    """Return False: the subscriber does not follow the target now. Raises UserNotFound or SelfSubscription."""

    async def work(transaction: Transaction) -> bool:
        await _unsubscribe(transaction, command)
        return False

    return await store.transact(work)


async def toggle_subscription(store: CommandStore, command: ToggleSubscription) -> Committed[bool]:
    """Return whether the subscriber follows the target now. Raises UserNotFound or SelfSubscription."""

    async def work(transaction: Transaction) -> bool:
        await transaction.fetch(_LOCK_PAIR, command.subscriber_id, command.target_user_id)
        if await _unsubscribe(transaction, command):
            return False
        await _subscribe(transaction, command)
        return True

    return await store.transact(work)


async def _subscribe(transaction: Transaction, command: Subscribe | ToggleSubscription) -> None:
    _refuse_oneself(command)
    rows = await transaction.fetch(_SUBSCRIBE, new_id(), command.subscriber_id, command.target_user_id)
    if not rows:
        raise UserNotFound
    if rows[0]["changed"]:
        transaction.record(UserSubscribed(subject_id=command.target_user_id, actor_id=command.subscriber_id))


async def _unsubscribe(transaction: Transaction, command: Unsubscribe | ToggleSubscription) -> bool:
    _refuse_oneself(command)
    rows = await transaction.fetch(_UNSUBSCRIBE, command.subscriber_id, command.target_user_id)
    if not rows:
        raise UserNotFound
    if not rows[0]["changed"]:
        return False
    transaction.record(UserUnsubscribed(subject_id=command.target_user_id, actor_id=command.subscriber_id))
    return True


def _refuse_oneself(command: Subscribe | Unsubscribe | ToggleSubscription) -> None:
    if command.subscriber_id == command.target_user_id:
        raise SelfSubscription
