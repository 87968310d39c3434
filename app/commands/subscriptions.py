"""Following a user and ceasing to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from app.command_store import CommandStore, Committed
from app.commands.callers import CALLER, admission
from app.commands.switches import Switch
from app.errors import SelfSubscription, UserNotFound
from app.idempotency import IdempotencyKey, once

# The target's row is locked against deletion first; a subscription that stands already is left alone.
_SUBSCRIBE: Final = f"""
WITH {CALLER},

target AS (
    SELECT id FROM users WHERE id = $3 AND EXISTS (SELECT FROM caller) FOR KEY SHARE
),

begun AS (
    INSERT INTO subscriptions (id, subscriber_id, target_user_id)
    SELECT $4, $1, target.id FROM target
    ON CONFLICT (target_user_id, subscriber_id) DO NOTHING
    RETURNING target_user_id
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id)
    SELECT 'UserSubscribed', target_user_id, $1 FROM begun
    RETURNING tx::text
)

SELECT target.id IS NOT NULL AS found, true AS stands, recorded.tx AS token
FROM caller
LEFT JOIN target ON true
LEFT JOIN recorded ON true
"""

_UNSUBSCRIBE: Final = f"""
WITH {CALLER},

target AS (
    SELECT id FROM users WHERE id = $3 AND EXISTS (SELECT FROM caller) FOR KEY SHARE
),

ended AS (
    DELETE FROM subscriptions
    WHERE target_user_id = $3 AND subscriber_id = $1 AND EXISTS (SELECT FROM target)
    RETURNING target_user_id
),

recorded AS (
    INSERT INTO event (type, subject_id, actor_id)
    SELECT 'UserUnsubscribed', target_user_id, $1 FROM ended
    RETURNING tx::text
)

SELECT target.id IS NOT NULL AS found, false AS stands, recorded.tx AS token
FROM caller
LEFT JOIN target ON true
LEFT JOIN recorded ON true
"""

# Of two toggles at once that see no subscription, one finds that the other has begun it, and changes nothing.
_TOGGLE: Final = f"""
WITH {CALLER},

target AS (
    SELECT id FROM users WHERE id = $3 AND EXISTS (SELECT FROM caller) FOR KEY SHARE
),

ended AS (
    DELETE FROM subscriptions
    WHERE target_user_id = $3 AND subscriber_id = $1 AND EXISTS (SELECT FROM target)
    RETURNING target_user_id
),

begun AS (
    INSERT INTO subscriptions (id, subscriber_id, target_user_id)
    SELECT $4, $1, target.id FROM target WHERE NOT EXISTS (SELECT FROM ended)
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

SELECT target.id IS NOT NULL AS found, recorded.type = 'UserSubscribed' AS stands, recorded.tx AS token
FROM caller
LEFT JOIN target ON true
LEFT JOIN recorded ON true
"""

_SWITCH: Final = Switch(on=_SUBSCRIBE, off=_UNSUBSCRIBE, over=_TOGGLE, missing=UserNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Let the subscriber follow the target; twice is as good as once."""

    subscriber_id: UUID
    target_user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """Let the subscriber not follow the target; twice is as good as once."""

    subscriber_id: UUID
    target_user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleSubscription:
    """Follow the target if the subscriber does not, else cease to."""

    subscriber_id: UUID
    target_user_id: UUID
    token_issued_at: datetime | None = field(default=None, compare=False)


async def subscribe(store: CommandStore, command: Subscribe) -> Committed[bool]:
    """Return True: the subscriber follows the target now. Raises UserNotFound, SelfSubscription or AccessEnded."""
    return await _SWITCH.turn_on(store, *_two(command), issued_at=command.token_issued_at)


async def unsubscribe(store: CommandStore, command: Unsubscribe) -> Committed[bool]:
    """Return False: the subscriber does not follow the target. Raises UserNotFound, SelfSubscription or AccessEnded."""
    return await _SWITCH.turn_off(store, *_two(command), issued_at=command.token_issued_at)


async def toggle_subscription(
    store: CommandStore, command: ToggleSubscription, *, key: IdempotencyKey | None = None
) -> Committed[bool]:
    """Return whether the subscriber follows the target now. Raises UserNotFound, SelfSubscription or AccessEnded."""
    admit = admission(command.subscriber_id, command.token_issued_at)
    keyed = once(key, command, by=command.subscriber_id, answers=bool, admit=admit)
    return await _SWITCH.turn_over(store, *_two(command), issued_at=command.token_issued_at, once=keyed)


def _two(command: Subscribe | Unsubscribe | ToggleSubscription) -> tuple[UUID, UUID]:
    """Return who follows and whom; raises SelfSubscription."""
    if command.subscriber_id == command.target_user_id:
        raise SelfSubscription
    return command.subscriber_id, command.target_user_id
