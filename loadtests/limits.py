"""What a load test must keep to, in sentences, and who comes how often. Pure; thresholds.py gives it to Locust."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Signing in hashes a password, which is slow on purpose and may wait its turn.
_SLOW_ON_PURPOSE: Final = "/auth/"
#: A percentile of fewer requests than this says little.
_FEWEST_JUDGED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The 95th percentile of each kind of request, the share of errors, and the oldest event not yet readable."""

    p95_ms: float
    errors_percent: float
    lag_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests of one name."""

    name: str
    sent: int
    failed: int
    p95_ms: float


def complaints(requests: Sequence[Requests], limits: Limits, *, lag: float | None, broken: int = 0) -> Iterator[str]:
    """Give a sentence for each limit that was not kept; `broken` tasks ended in an exception of their own."""
    sent, failed = sum(each.sent for each in requests), sum(each.failed for each in requests)
    if not sent:
        yield "No request was sent, so nothing is known. Is the host right, and is it up?"
        return
    if failed * 100 > limits.errors_percent * sent:
        yield (
            f"{failed} of {sent} requests failed ({failed / sent:.2%}), and {limits.errors_percent:g} % may. "
            "What they answered stands above."
        )
    if broken:
        yield f"{broken} tasks broke off: the load test itself met something that it does not know."
    for each in requests:
        if each.sent >= _FEWEST_JUDGED and _SLOW_ON_PURPOSE not in each.name and each.p95_ms > limits.p95_ms:
            yield f"{each.name} took {each.p95_ms:g} ms at the 95th percentile, and {limits.p95_ms:g} ms is the most."
    if lag is None:
        yield "How far behind the projections are is not known: /health/ready did not say."
    elif lag > limits.lag_seconds:
        yield f"A projection was {lag:.2f} s behind, and {limits.lag_seconds:g} s is the most."


def weights(text: str) -> dict[str, int]:
    """Read `Reader=70,Writer=3`; raises ArgumentTypeError."""
    found = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if not name.isidentifier() or not weight.isdecimal():
            raise argparse.ArgumentTypeError(
                f"{part.strip()!r} is not like Reader=70: a user's name and a whole number"
            )
        found[name] = int(weight)
    return found


def weigh(users: Sequence[Any], chosen: Mapping[str, int]) -> list[Any]:
    """Give users the chosen weights, others none if any are chosen; return those that are left to come."""
    unknown = chosen.keys() - {user.__name__ for user in users}
    if unknown:
        there = ", ".join(user.__name__ for user in users)
        raise SystemExit(f"--weights: there is no user {', '.join(sorted(unknown))}. There are {there}.")
    for user in users:
        user.weight = chosen.get(user.__name__, 0) if chosen else user.weight
    left = [user for user in users if user.weight]
    if not left:
        raise SystemExit("--weights: somebody must come, and all weights are 0.")
    return left
