"""The limits of the settings, as one request after another meets them."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis

from app.rate_limits.callers import account_of, address_of
from app.rate_limits.counts import OwnCounts, SharedCounts
from app.rate_limits.deferred import DeferredLimit
from app.rate_limits.exact import ExactLimit
from app.rate_limits.policies import Policy, Standings
from app.settings import Settings

Client = Sequence[Any] | None

#: Reads tell how they stand only from here on: to write the headers takes a good part of the time of a hot read.
_READS_SHOWN_FROM: Final = 0.5


class RateLimits:
    """One per process. What a method returns may refuse the request; it is empty where there is nothing to say."""

    def __init__(self, config: Settings, redis: Redis) -> None:
        self._shared = SharedCounts(redis)
        self._own = OwnCounts()
        self._login = self._exact(config.rate_limit_login, "login", "attempts to sign in to this account")
        self._login_address = self._exact(
            config.rate_limit_login_address, "login-address", "attempts to sign in from your address"
        )
        self._register = self._exact(config.rate_limit_register, "register", "registrations from your address")
        self._writes = self._deferred(config.rate_limit_writes, "writes", "requests that change something")
        self._reads = self._deferred(config.rate_limit_reads, "reads", "reads", shown_from=_READS_SHOWN_FROM)

    async def close(self) -> None:
        """Let go of what Redis is being told."""
        for limit in (self._writes, self._reads):
            if limit is not None:
                await limit.close()

    def read(self, user_id: UUID | None, client: Client) -> Standings:
        """Count a read of a user, or else of an address."""
        if self._reads is None:
            return ()
        caller = address_of(client) if user_id is None else user_id.int
        return () if caller is None else self._reads.spend(caller)

    def write(self, user_id: UUID | None, client: Client) -> Standings:
        """Count a request that changes something, of a user, or else of an address."""
        if self._writes is None:
            return ()
        caller = address_of(client) if user_id is None else user_id.int
        return () if caller is None else self._writes.spend(caller)

    async def register(self, client: Client) -> Standings:
        """Count a registration from an address."""
        return await _of_address(self._register, client)

    async def sign_in_from(self, client: Client) -> Standings:
        """Count an attempt to sign in from an address."""
        return await _of_address(self._login_address, client)

    async def sign_in_to(self, login: str) -> Standings:
        """Count an attempt to sign in to an account, whether there is such a one or not."""
        return () if self._login is None else (await self._login.spend(account_of(login)),)

    def _exact(self, text: str, name: str, counted: str) -> ExactLimit | None:
        policy = Policy.parse(text, name, counted=counted)
        return None if policy is None else ExactLimit(policy, self._shared, self._own)

    def _deferred(self, text: str, name: str, counted: str, *, shown_from: float = 0) -> DeferredLimit | None:
        policy = Policy.parse(text, name, counted=counted)
        return None if policy is None else DeferredLimit(policy, self._shared, shown_from=shown_from)


async def _of_address(limit: ExactLimit | None, client: Client) -> Standings:
    address = address_of(client)
    return () if limit is None or address is None else (await limit.spend(address),)
