"""Following a user and ceasing to."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.command_store import CommandStore, Committed
from app.commands.switches import Switch
from app.errors import SelfSubscription, UserNotFound

# The target's row is locked against deletion first; a subscription that stands already is left alone.
_SUBSCRIBE: Final = """
WITH target AS (
    SELECT id FROM users WHERE id = $2 FOR KEY SHARE
),

begun AS (
    INSERT INTO subscriptions (id, subscriber_id, target_user_id)
    SELECT $3, $1, target.id FROM target
    ON CONFLICT (target_user_id, subscriber_id) DO NOTHING
    RETURNING target_user_id
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id)
    SELECT 'UserSubscribed', target_user_id, $1 FROM begun
    RETURNING tx::text
)

SELECT true AS stands, recorded.tx AS token
FROM target
LEFT JOIN recorded ON true
"""

_UNSUBSCRIBE: Final = """
WITH target AS (
    SELECT id FROM users WHERE id = $2 FOR KEY SHARE
),

ended AS (
    DELETE FROM subscriptions
    WHERE target_user_id = $2 AND subscriber_id = $1 AND EXISTS (SELECT FROM target)
    RETURNING target_user_id
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id)
    SELECT 'UserUnsubscribed', target_user_id, $1 FROM ended
    RETURNING tx::text
)

SELECT false AS stands, recorded.tx AS token
FROM target
LEFT JOIN recorded ON true
"""

# Of two toggles at once that see no subscription, one finds that the other has begun it, and changes nothing.
_TOGGLE: Final = """
WITH target AS (
    SELECT id FROM users WHERE id = $2 FOR KEY SHARE
),

ended AS (
    DELETE FROM subscriptions
    WHERE target_user_id = $2 AND subscriber_id = $1 AND EXISTS (SELECT FROM target)
    RETURNING target_user_id
),

begun AS (
    INSERT INTO subscriptions (id, subscriber_id, target_user_id)
    SELECT $3, $1, target.id FROM target WHERE NOT EXISTS (SELECT FROM ended)
    ON CONFLICT (target_user_id, subscriber_id) DO NOTHING
    RETURNING target_user_id
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id)
    SELECT 'UserUnsubscribed', target_user_id, $1 FROM ended
    UNION ALL
    SELECT 'UserSubscribed', target_user_id, $1 FROM begun
    RETURNING type, tx::text
)

SELECT recorded.type = 'UserSubscribed' AS stands, recorded.tx AS token
FROM target
LEFT JOIN recorded ON true
"""

_SWITCH: Final = Switch(on=_SUBSCRIBE, off=_UNSUBSCRIBE, over=_TOGGLE, missing=UserNotFound)


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
    return await _SWITCH.turn_on(store, *_two(command))


async def unsubscribe(store: CommandStore, command: Unsubscribe) -> Committed[bool]:
    """Return False: the subscriber does not follow the target now. Raises UserNotFound or SelfSubscription."""
    return await _SWITCH.turn_off(store, *_two(command))


async def toggle_subscription(store: CommandStore, command: ToggleSubscription) -> Committed[bool]:
    """Return whether the subscriber follows the target now. Raises UserNotFound or SelfSubscription."""
    return await _SWITCH.turn_over(store, *_two(command))


def _two(command: Subscribe | Unsubscribe | ToggleSubscription) -> tuple[UUID, UUID]:
    """Return who follows and whom; raises SelfSubscription."""
    if command.subscriber_id == command.target_user_id:
        raise SelfSubscription
    return command.subscriber_id, command.target_user_id
