"""`verify`: says which rows are not as their definition says, and has them mended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from projections.cli.course import Course
from projections.cli.differences import as_json, print_differences
from projections.cli.figures import some
from projections.cli.mending import UNMENDED, Mended, mend
from projections.cli.progress import progress
from projections.cli.running import building, connected, print_json, renew_top_posts, run
from projections.engine.checkpoint import Connect
from projections.engine.fill import table_bytes
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.projection import Projection
from projections.engine.verify import Verified, verify

_DIFFERS = 1
_UNVERIFIED = 2


@dataclass(slots=True, kw_only=True)
class _Findings:
    """What a run has found so far; printed as it is found, unless it is to be JSON."""

    repair: bool
    sample: bool
    as_json: bool
    verified: list[Verified] = field(default_factory=list)
    mended: dict[str, Mended] = field(default_factory=dict)
    unmended: set[str] = field(default_factory=set)
    unverified: dict[str, str] = field(default_factory=dict)

    async def add(self, connect: Connect, projection: Projection, course: Course) -> None:
        """Verify a projection, and mend it if that is asked for and called for."""
        try:
            verified = (await verify(connect, [projection], sample=self.sample, report=course))[0]
        except UnverifiableError as error:
            self.unverified[projection.name] = str(error)
            typer.echo(f"Not verified: {error}", err=True)
            return
        self.verified.append(verified)
        self._say(verified)
        if self.repair:
            await self._mend(connect, projection, verified, course)

    async def _mend(self, connect: Connect, projection: Projection, verified: Verified, course: Course) -> None:
        try:
            mended = await mend(connect, projection, verified, report=course.report)
        except UNMENDED as error:
            self.unmended.add(projection.name)
            typer.echo(f"Not mended: {error}", err=True)
            return
        if mended:
            if mended.rebuilt:
                course.begin_stage()
            self.mended[projection.name] = mended
            await renew_top_posts()
            if not self.as_json:
                typer.echo(mended.sentence)

    def _say(self, verified: Verified) -> None:
        if not self.as_json:
            print_differences(verified)
            typer.echo(
                f"{verified.projection}: {some(verified.rows, 'row')} compared{' (a sample)' if self.sample else ''} "
                f"in {verified.seconds:.1f} s, {verified.different:,} differ."
            )

    @property
    def wrong(self) -> list[str]:
        """The projections that are not as they should be now."""
        return [
            each.projection
            for each in self.verified
            if (each.differences and each.projection not in self.mended) or each.projection in self.unmended
        ]

    @property
    def code(self) -> int:
        """The exit code; that rows differ is said before that some could not be looked at."""
        if self.wrong:
            return _DIFFERS
        return _UNVERIFIED if self.unverified else 0

    def finish(self) -> None:
        """Print the whole as JSON, or the sum of it."""
        if self.as_json:
            print_json(self._json())
            return
        rows = sum(each.rows for each in self.verified)
        different = sum(each.different for each in self.verified)
        found = f"{different:,} differ" if self.wrong else f"{different:,} differed and are mended"
        if self.verified:
            typer.echo(
                f"{some(len(self.verified), 'projection')} compared with the definitions, {some(rows, 'row')}: "
                f"{found if different else 'none differs'}."
            )
        if self.wrong and not self.repair:
            typer.echo(f"To mend: inkfold projections verify {' '.join(self.wrong)} --repair")

    def _json(self) -> dict[str, Any]:
        return {
            "projections": [
                as_json(each) | {"sample": self.sample, "mended": self.mended.get(each.projection)}
                for each in self.verified
            ],
            "unverified": [{"projection": name, "reason": reason} for name, reason in self.unverified.items()],
        }


def verify_tables(projections: Sequence[Projection], *, repair: bool, sample: bool, as_json: bool) -> None:
    """Verify one projection after another, and leave with 1 where rows differ, 2 where some could not be verified."""
    findings = _Findings(repair=repair, sample=sample, as_json=as_json)

    async def work() -> None:
        connect = await building()
        sizes = await _sizes(projections)
        with progress() as report:
            course = Course(report, sizes)
            course.begin_stage()
            for projection in projections:
                await findings.add(connect, projection, course)
                course.leave()

    run(work(), failed=_UNVERIFIED, afterwards="" if repair else "Verifying changes nothing.")
    findings.finish()
    raise typer.Exit(findings.code)


async def _sizes(projections: Sequence[Projection]) -> dict[str, list[int]]:
    async with connected() as connection:
        home = await connection.fetchval("SELECT current_schema()")
        return {
            projection.name: [await table_bytes(connection, home, [table]) for table in projection.tables]
            for projection in projections
        }
