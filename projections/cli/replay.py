"""`parked replay`: folds parked events, then makes good for what was folded without them."""

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from projections.cli.choice import one
from projections.cli.figures import some
from projections.cli.mending import UNMENDED, Mended, mend
from projections.cli.progress import progress
from projections.cli.running import building, connected, leave, print_json, renew_top_posts, run
from projections.engine.checkpoint import Connect
from projections.engine.one_snapshot import UnverifiableError
from projections.engine.parked import list_parked, replay
from projections.engine.projection import Projection
from projections.engine.verify import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How many events were folded, which stay parked, what was mended, and why nothing was verified, if so."""

    projection: str
    folded: int
    failed: Sequence[int]
    still_parked: int
    verified: bool
    mended: Mended | None
    unverified: str | None


def replay_events(name: str, position: int | None, *, as_json: bool) -> None:
    """Replay a projection's parked events, or one of them, and leave with 1 where not all is well afterwards."""
    projection = one(name)
    outcome = run(_replay(projection, position), afterwards="What was not folded stays parked.")
    if as_json:
        print_json(outcome)
    else:
        for sentence in _sentences(outcome):
            typer.echo(sentence)
    raise typer.Exit(1 if outcome.failed or outcome.unverified else 0)


async def _replay(projection: Projection, position: int | None) -> _Outcome:
    connect, name = await building(), projection.name
    if position is not None and not await _parked(name, position):
        leave(f"No event of {name} is parked at position {position}. See: inkfold projections parked list {name}")
    replayed = await replay(connect, projection, position)
    left = await _parked(name)
    mended, unverified = None, None
    # A repair would settle what is still parked, too: whether to wait for a replay or not is not decided here.
    whole = replayed.folded > 0 and not left
    if whole:
        try:
            mended = await _verify_and_mend(connect, projection)
        except (UnverifiableError, *UNMENDED) as error:
            unverified = str(error)
    if replayed.folded:
        await renew_top_posts()
    return _Outcome(
        projection=name,
        folded=replayed.folded,
        failed=replayed.failed,
        still_parked=left,
        verified=whole and unverified is None,
        mended=mended,
        unverified=unverified,
    )


async def _verify_and_mend(connect: Connect, projection: Projection) -> Mended | None:
    with progress() as report:
        verified = (await verify(connect, [projection], report=report))[0]
        return await mend(connect, projection, verified, report=report)


async def _parked(name: str, position: int | None = None) -> int:
    async with connected() as connection:
        return len(await list_parked(connection, name, position))


def _sentences(outcome: _Outcome) -> list[str]:
    name = outcome.projection
    if not outcome.folded and not outcome.failed:
        return [f"No event of {name} is parked."]
    said = [f"Folded {some(outcome.folded, 'parked event')} of {name}."]
    if outcome.failed:
        positions = ", ".join(map(str, outcome.failed))
        said.append(
            f"{some(len(outcome.failed), 'event')} failed again, and stay parked: {positions}. Why: "
            f"inkfold projections parked show {name} {outcome.failed[0]}"
        )
    if outcome.verified:
        said.append(f"Verified {name}: " + (outcome.mended.sentence if outcome.mended else "nothing differs."))
    elif outcome.unverified:
        said.append(f"Not verified: {outcome.unverified} Afterwards: inkfold projections verify {name} --repair")
    elif outcome.still_parked:
        said.append(
            f"Rows that lack the {some(outcome.still_parked, 'event')} still parked differ from the definition; "
            f"to derive them anew, which settles the events: inkfold projections verify {name} --repair"
        )
    return said
