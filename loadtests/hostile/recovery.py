"""How a storm's answers lie around its outages: which failures these account for, and how soon all was well again.

Without PostgreSQL a request may be answered with 503, or break off. Without Redis everything can be done, and nothing
accounts for any other error: what fails so is named by what was away, or by no outage, and is a failure of the system.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from loadtests.hostile.client import NO_ANSWER, Answered, Kind
from loadtests.hostile.faults import POSTGRESQL, Outage

NO_OUTAGE: Final = "none"

_UNAVAILABLE: Final = 503
_EXCUSABLE: Final = frozenset({NO_ANSWER, _UNAVAILABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All answers and outages; an outage accounts for failures until `window` seconds after the server was back."""

    answers: Sequence[Answered]
    outages: Sequence[Outage]
    window: float

    def recovered(self, outage: Outage, kind: Kind) -> float | None:
        """Return how long after the server was back the first request of a kind was done; None if none ever was."""
        after = [each.at for each in self.answers if each.kind == kind and each.good and each.at >= outage.back]
        return min(after) - outage.back if after else None

    def over(self, outage: Outage) -> bool:
        """Say whether requests of every kind were done again."""
        return self.recovered(outage, "write") is not None and self.recovered(outage, "read") is not None

    def silence(self, outage: Outage, kind: Kind) -> float:
        """Return the longest time in which no request of a kind was done, from the outage to the end of its window."""
        end = outage.back + self.window
        done = sorted(each.at for each in self.answers if each.kind == kind and each.good)
        inside = [at for at in done if outage.began < at < end]
        return max((later - earlier for earlier, later in pairwise([outage.began, *inside])), default=0.0)

    def failures(self) -> dict[str, Counter[str]]:
        """Return what failed, by the outage that accounts for it; "none" where no outage does."""
        found: dict[str, Counter[str]] = {}
        for each in self.answers:
            if each.failed:
                status = str(each.status) if each.status else "no answer"
                found.setdefault(self._cause(each), Counter())[f"{each.what} {status}"] += 1
        return found

    def last_failure(self, outage: Outage) -> float | None:
        """Return how long after the server was back something failed for the last time; None if nothing did."""
        times = [
            each.at for each in self.answers if each.failed and outage.back <= each.at <= outage.back + self.window
        ]
        return max(times) - outage.back if times else None

    def unexcused(self) -> dict[str, Counter[str]]:
        """Return what failed though PostgreSQL was there, by what was away instead; "none" where nothing was."""
        return {cause: failed for cause, failed in self.failures().items() if cause != POSTGRESQL}

    def calm(self, kind: Kind) -> list[float]:
        """Return the times of requests of a kind that no outage touches."""
        return [
            each.at - each.sent for each in self.answers if each.kind == kind and each.good and not self._touching(each)
        ]

    def _cause(self, answer: Answered) -> str:
        causes = self._touching(answer)
        if answer.status not in _EXCUSABLE:
            return NO_OUTAGE
        causes.sort(key=lambda outage: not outage.of_postgresql)
        return causes[0].what if causes else NO_OUTAGE

    def _touching(self, answer: Answered) -> list[Outage]:
        return [
            outage for outage in self.outages if answer.at >= outage.began and answer.sent <= outage.back + self.window
        ]
