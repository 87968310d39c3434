"""How requests are counted: exactly where it matters, by each process for itself where it must cost nothing."""

import asyncio
from ipaddress import ip_address

import pytest
from redis.asyncio import Redis

from app.rate_limits import deferred
from app.rate_limits.callers import account_of, address_of
from app.rate_limits.counts import OwnCounts, SharedCounts
from app.rate_limits.deferred import DeferredLimit
from app.rate_limits.exact import ExactLimit
from app.rate_limits.policies import Policy, Standings, refusal
from tests.support.waiting import until


def policy(rate: str) -> Policy:
    found = Policy.parse(rate, "writes", counted="writes")
    assert found is not None
    return found


def allowed(standings: Standings) -> bool:
    return refusal(standings) is None


async def told(limit: DeferredLimit) -> None:
    """Wait until Redis knows what it is being told."""
    await asyncio.gather(*limit._telling)


async def test_one_process_alone_allows_exactly_the_quota(redis: Redis) -> None:
    limit = DeferredLimit(policy("100/hour"), SharedCounts(redis))
    at_once = sum(allowed(limit.spend("ada")) for _ in range(60))
    await told(limit)
    later = sum(allowed(limit.spend("ada")) for _ in range(60))
    assert (at_once, later) == (60, 40)


@pytest.mark.parametrize("processes", [2, 5])
async def test_processes_together_exceed_a_quota_by_no_more_than_a_tenth_each(redis: Redis, processes: int) -> None:
    limits = [DeferredLimit(policy("100/hour"), SharedCounts(redis)) for _ in range(processes)]
    number = 0
    for _ in range(120):
        for limit in limits:
            number += allowed(limit.spend("ada"))
            await told(limit)
    assert 100 <= number <= 100 + 10 * processes


async def test_who_is_refused_asks_redis_for_nothing(redis: Redis) -> None:
    limit = DeferredLimit(policy("1/hour"), SharedCounts(redis))
    assert allowed(limit.spend("ada"))
    await told(limit)
    assert not any(allowed(limit.spend("ada")) for _ in range(100))
    assert not limit._telling
    assert allowed(limit.spend("bob"))
    await limit.close()


async def test_callers_whose_window_is_over_are_forgotten(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred, "_MOST_CALLERS", 3)
    limit = DeferredLimit(policy("20/second"), SharedCounts(redis))
    for name in "abcdef":
        limit.spend(name)
    assert list(limit._callers) == ["d", "e", "f"]

    async def only_the_newest() -> bool:
        limit.spend("g")
        return list(limit._callers) == ["g"]

    await until(only_the_newest)
    await limit.close()


async def test_an_exact_limit_holds_for_many_at_once_and_in_several_processes(redis: Redis) -> None:
    limits = [ExactLimit(policy("10/hour"), SharedCounts(redis), OwnCounts()) for _ in range(2)]
    standings = await asyncio.gather(*(limit.spend("ada") for limit in limits * 20))
    assert sum(not standing.refused for standing in standings) == 10
    assert not (await limits[0].spend("bob")).refused


async def test_counts_of_a_window_end_with_it(redis: Redis) -> None:
    limit = ExactLimit(policy("2/day"), SharedCounts(redis), OwnCounts())
    await limit.spend("ada")
    [key] = await redis.keys("inkfold:limit:*")
    assert 86_000 < await redis.ttl(key) <= 86_400


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", None),
        ("127.8.9.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("somewhere", "unknown"),
        ("9" * 5_000, "unknown"),
        ("", "unknown"),
    ],
)
def test_addresses_count_as_what_one_customer_has(host: str, address: str | None) -> None:
    assert address_of((host, 4711)) == address
    if address not in {None, "unknown"}:
        assert not ip_address(str(address)).is_loopback


def test_a_unix_socket_has_no_address() -> None:
    assert address_of(None) is None


def test_an_account_asked_for_does_not_stand_in_redis() -> None:
    assert account_of("Ada") == account_of(" ada ") != account_of("bob")
    assert "ada" not in account_of("ada")
    assert len(account_of("\ud800" * 5_000)) == len(account_of("\ud800@" * 5_000)) == 32


def test_an_account_counts_as_one_in_whatever_way_its_address_is_written() -> None:
    ways = [
        "ada@bücher.org",
        "ADA@BÜCHER.ORG",
        "ada@xn--bcher-kva.org",
        "ada@bücher\u3002org",
        "ada@\uff42ü\uff43her.org",
    ]
    assert len({account_of(way) for way in ways}) == 1
    assert account_of("ada@bucher.org") != account_of(ways[0])
