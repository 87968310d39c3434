"""What a storm came to, in a summary, and what of it was not as it must be."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.engine.display import spread
from loadtests.hostile.crowd import Crowd
from loadtests.hostile.faults import Outage
from loadtests.hostile.oracle import Losses
from loadtests.hostile.recovery import NO_OUTAGE, Course

#: Of many sentences of one kind, so many are printed.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Survived:
    """What the storm came to."""

    crowd: Crowd
    course: Course
    began: float
    seconds: float
    losses: Losses
    #: Until everything was folded, from the end of the storm; None where that took too long.
    folded_seconds: float | None
    rows: int
    differing: int
    top: str | None

    @property
    def acknowledged(self) -> Counter[str]:
        """The writes that were answered with success, by kind."""
        return Counter(each.what for each in self.course.answers if each.kind == "write" and each.good)

    @property
    def lines(self) -> Sequence[str]:
        """The summary."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        answers, writes = self.course.answers, self.acknowledged
        yield (
            f"{len(self.crowd.people):,} clients, {self.seconds:.0f} s: {len(answers):,} requests, "
            f"{len(answers) / self.seconds:,.0f}/s; {writes.total():,} writes acknowledged ({_counted(writes)})"
        )
        for outage in sorted(self.course.outages, key=lambda each: each.began):
            yield self._of(outage)
        failures = self.course.failures()
        for cause, failed in failures.items():
            yield f"failed, accounted for by “{cause}”: {_counted(failed)}"
        yield f"writes when nothing was wrong: {spread(self.course.calm('write'))}"
        yield f"reads when nothing was wrong: {spread(self.course.calm('read'))}"
        things = f"of {writes.total():,} writes to {self.losses.things:,} things"
        yield f"acknowledged and lost: {len(self.losses.lost)}, doubled: {len(self.losses.doubled)}, {things}"
        yield f"reads of one's own that were wrong: {len(self.crowd.stale)} of {self.crowd.own_reads:,}"
        unexcused = self.course.unexcused()
        outside = unexcused.pop(NO_OUTAGE, Counter()).total()
        redis = sum(failed.total() for failed in unexcused.values())
        yield f"failed outside the outages: {outside}; while only Redis was away: {redis}"
        folded = "not within reason" if self.folded_seconds is None else f"{self.folded_seconds:.1f} s after the storm"
        yield f"everything folded: {folded}; verify: {self.differing} of {self.rows:,} rows differ"

    def _of(self, outage: Outage) -> str:
        course, last = self.course, self.course.last_failure(outage)
        write, read = _after(course.recovered(outage, "write")), _after(course.recovered(outage, "read"))
        return (
            f"{outage.what}, at {outage.began - self.began:.1f} s, back after {outage.back - outage.began:.1f} s: "
            f"first write {write} later, first read {read} later, last failure "
            f"{'before that' if last is None else f'{_after(last)} later'}; longest without a write "
            f"{course.silence(outage, 'write'):.1f} s, without a read {course.silence(outage, 'read'):.1f} s"
        )

    @property
    def failures(self) -> Sequence[str]:
        """What was not as it must be."""
        return tuple(self._failures())

    def _failures(self) -> Iterator[str]:
        yield from _some("Lost: ", self.losses.lost)
        yield from _some("Doubled: ", self.losses.doubled)
        yield from _some("Read wrongly: ", self.crowd.stale)
        for cause, failed in self.course.unexcused().items():
            yield f"PostgreSQL was there (away: {cause}), and this failed: {_counted(failed)}"
        if self.crowd.surprises:
            yield f"Refused, though nothing was wrong with it: {_counted(self.crowd.surprises)}"
        if self.differing:
            yield f"{self.differing} rows differ from their definitions."
        if self.top:
            yield self.top
        if self.folded_seconds is None:
            yield "The projections were still behind long after the storm."
        for outage in self.course.outages:
            if not self.course.over(outage):
                yield f"After “{outage.what}”, writes or reads were not answered any more."


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {times:,}" for what, times in Counter(counts).most_common()) or "nothing"


def _some(beginning: str, sentences: Sequence[str]) -> Iterator[str]:
    yield from (f"{beginning}{sentence}" for sentence in sentences[:_SHOWN])
    if len(sentences) > _SHOWN:
        yield f"{beginning}and {len(sentences) - _SHOWN:,} more"
